package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pipe/engine/view"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a plan file to start from, and say what the environment lacks",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.path(first(args))
			if err != nil {
				return err
			}
			written, err := a.writeStarter(dir)
			if err != nil {
				return err
			}
			a.chdir = dir // paths in plan files are relative to where pipe works
			return a.initReport(first(args), dir, written)
		},
	}
}

// writeStarter writes the starter plan and its data, if there is no plan file yet, and returns the files' names. Nothing
// that exists is written over.
func (a *app) writeStarter(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	present, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.hcl"))
	if err != nil || len(present) > 0 {
		return nil, err
	}
	var written []string
	err = fs.WalkDir(a.deps.Starter, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(a.deps.Starter, p)
		if err != nil {
			return err
		}
		name := filepath.FromSlash(p)
		to := filepath.Join(dir, name)
		if _, err := os.Lstat(to); err == nil {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		if err := writeFile(to, content, 0o644); err != nil {
			return fmt.Errorf("%s cannot be written: %w", name, err)
		}
		written = append(written, name)
		return nil
	})
	return written, err
}

// finding is one thing that init looked at.
type finding struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Missing bool   `json:"missing"`
	Text    string `json:"text"`
}

// initReport says what was written and what is missing. Only what stops every run is an error.
func (a *app) initReport(arg, dir string, written []string) error {
	findings, stop := a.examine(dir)
	if a.json {
		lines := view.NewJSONLines(a.stdout)
		lines.Line(map[string]any{"type": "init", "written": append([]string{}, written...)})
		for _, f := range findings {
			lines.Line(f)
		}
	} else {
		if len(written) > 0 {
			fmt.Fprintf(a.stdout, "Wrote %s.\n\n", strings.Join(written, " and "))
		} else {
			fmt.Fprint(a.stdout, "There are plan files already: nothing was written.\n\n")
		}
		for _, f := range findings {
			word := "ok     "
			if f.Missing {
				word = "missing"
			}
			fmt.Fprintf(a.stdout, "  %s  %s: %s\n", word, f.Name, f.Text)
		}
	}
	if stop != nil {
		return stop
	}
	if !a.json {
		next := "pipe plan"
		if arg != "" && arg != "." {
			next = "cd " + arg + " && " + next
		}
		fmt.Fprintf(a.stdout, "\nNext:  %s\n", next)
	}
	return nil
}

// examine looks at what a run needs.
func (a *app) examine(dir string) (findings []finding, stop error) {
	add := func(name string, missing bool, text string) {
		findings = append(findings, finding{"finding", name, missing, text})
	}
	if err := writable(dir); err != nil {
		add("directory", true, fmt.Sprintf("it cannot be written to: %v", err))
		stop = done{ExitError}
	} else {
		add("directory", false, "it can be written to")
	}
	switch {
	case a.gitIgnores(dir, ".pipe/state"):
		add("git", false, "the revision of plan files is recorded with every run, and .pipe is ignored")
	case a.inGit(dir):
		add("git", true, "add .pipe/ to .gitignore, so that state and artifacts are not committed")
	default:
		add("git", true, "without a repository no run can record the revision of its plan files")
	}
	e, err := a.engine()
	if err != nil {
		add("environment", true, err.Error())
		return findings, done{ExitError}
	}
	add("environment", false, e.Environment())
	src := a.source(".")
	src.MissingSecretsOK = true
	if l, diags := e.Load(src); diags.HasErrors() {
		return findings, a.diagnose(l, diags)
	}
	src.MissingSecretsOK = false
	_, lacking := e.Load(src)
	for _, d := range lacking {
		add("secret", true, d.Detail)
	}
	if len(lacking) == 0 {
		add("secrets", false, "all that the plan files name are set")
	}
	return findings, stop
}

// writable tries to make a file.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".pipe-*")
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return pe.Err
		}
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

func (a *app) inGit(dir string) bool {
	return exec.Command("git", "-C", dir, "rev-parse", "--git-dir").Run() == nil
}

func (a *app) gitIgnores(dir, path string) bool {
	return exec.Command("git", "-C", dir, "check-ignore", "--quiet", path).Run() == nil
}
