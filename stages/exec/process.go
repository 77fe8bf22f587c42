package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"pipe/stages/internal/glob"
)

// patience is how long a program may take to end after it was asked to.
const patience = 5 * time.Second

// process is one run of a program.
type process struct {
	args    []string
	dir     string
	vars    map[string]string
	hidden  []string // values of secrets
	scratch string
	log     hclog.Logger
	grace   time.Duration // patience, but in tests
}

// run starts the program in a process group of its own and waits for it. When ctx ends, the whole group is asked to end, and
// killed after the grace period. Whatever children it leaves behind are killed.
func (p *process) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	program, err := p.find()
	if err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	cmd := &exec.Cmd{Path: program, Args: p.args, Dir: p.dir, Stdout: writer, Stderr: writer,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	for _, n := range sortedNames(p.vars) {
		cmd.Env = append(cmd.Env, n+"="+p.vars[n])
	}
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return p.cannotStart(err)
	}
	said := &tail{}
	heard := make(chan struct{})
	go func() { defer close(heard); said.readFrom(reader) }()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = p.wait(ctx, cmd.Process.Pid, ended)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)         // children that were left; there may be none
	_ = reader.SetReadDeadline(time.Now().Add(2 * time.Second)) // one that left the group may hold the pipe open
	<-heard
	text := redact(said.String(), p.hidden)
	if p.log != nil && text != "" {
		p.log.Debug("the program wrote", "output", text)
	}
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	return p.explain(err, text)
}

func (p *process) wait(ctx context.Context, pid int, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case err := <-ended:
		return err
	case <-time.After(p.grace):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	return <-ended
}

// find returns the path of the program: as it stands if it has a slash, else from PATH.
func (p *process) find() (string, error) {
	name := p.args[0]
	if strings.Contains(name, "/") {
		abs := name
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(p.dir, abs)
		}
		if err := executable(abs); err != nil {
			return "", fmt.Errorf("the program %s cannot be run: %w. A relative path starts at the program's directory, so the program must be among files", name, err)
		}
		return abs, nil
	}
	for _, d := range filepath.SplitList(p.vars["PATH"]) {
		if abs := filepath.Join(d, name); filepath.IsAbs(d) && executable(abs) == nil {
			return abs, nil
		}
	}
	hint := "name it by its path, or set PATH in env"
	if _, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
		hint = "write ./" + name + " to run the declared file"
	}
	return "", fmt.Errorf("there is no program %s in %s: %s", name, p.vars["PATH"], hint)
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return glob.Plain(err)
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode()&0o111 == 0:
		return errors.New("it is not executable")
	}
	return nil
}

func (p *process) cannotStart(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) && errors.Is(pe.Err, syscall.ENOENT) {
		return fmt.Errorf("the program %s cannot be run: the interpreter that its first line names is not there", p.args[0])
	}
	return fmt.Errorf("the program %s cannot be run: %w", p.args[0], glob.Plain(err))
}

// explain says how the program ended, if not well, and what it wrote last.
func (p *process) explain(err error, text string) error {
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", p.args[0], err)
	}
	how := fmt.Sprintf("ended with exit code %d", exit.ExitCode())
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		how = fmt.Sprintf("was ended by the signal %q", status.Signal())
		if status.Signal() == syscall.SIGKILL {
			how += ", perhaps for want of memory"
		}
	}
	text = lastLines(strings.ReplaceAll(text, p.scratch+string(filepath.Separator), ""))
	if text == "" {
		return fmt.Errorf("%s %s and wrote nothing", p.args[0], how)
	}
	return fmt.Errorf("%s %s. It wrote last:\n%s", p.args[0], how, text)
}
