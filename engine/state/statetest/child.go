package statetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pipe/engine/stage"
	"pipe/engine/state"
)

const childEnv = "PIPE_STATETEST_CHILD"

// job is what a child process is told.
type job struct {
	Location, Role string
	N              int
	Effects        string // the file that effects write to
	Die            string // where an effect dies: before, after, done
}

// Main runs the tests, or the part of a child process, and returns the exit code.
func Main(m *testing.M, open func(location string) (state.Store, error)) int {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return m.Run()
	}
	var j job
	if err := json.Unmarshal([]byte(spec), &j); err != nil {
		fmt.Println("child:", err)
		return 1
	}
	s, err := open(j.Location)
	if err == nil {
		err = map[string]func(context.Context, state.Store) error{"hold": j.hold, "update": j.update, "effect": j.effect,
			"write": j.writeForever}[j.Role](context.Background(), s)
	}
	if err != nil {
		fmt.Println("child:", err)
		return 1
	}
	return 0
}

// hold takes the lease and does what it is told, a word a line.
func (j job) hold(ctx context.Context, s state.Store) error {
	l, err := s.Acquire(ctx, state.Holder{Name: "child", Operation: "hold"}, patience)
	if err != nil {
		return err
	}
	snap, err := s.Read(ctx)
	if err != nil {
		return err
	}
	fmt.Println("held")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "write":
			err = l.Write(ctx, snap)
		case "audit":
			err = l.AppendAudit(ctx, []byte(`{"by":"child"}`))
		case "effect":
			_, err = l.Journal(node("a")).Do(ctx, "k", nil, func(context.Context, stage.Attempt) (any, error) { return nil, nil })
		case "put":
			err = l.Outbox().Put(ctx, "k", json.RawMessage(`1`))
		case "release":
			err = l.Release()
		}
		switch {
		case errors.Is(err, state.ErrLost):
			fmt.Println("lost")
		case err != nil:
			fmt.Println("error", err)
		default:
			fmt.Println("ok")
		}
	}
	return in.Err()
}

// update raises the number that stands in the state N times, each time under a lease of its own.
func (j job) update(ctx context.Context, s state.Store) error {
	for range j.N {
		l, err := s.Acquire(ctx, state.Holder{Name: "child", Operation: "update"}, 60*time.Second)
		if err != nil {
			return err
		}
		snap, err := s.Read(ctx)
		if err != nil {
			return err
		}
		n := 0
		if snap.LastRun != nil {
			if n, err = strconv.Atoi(snap.LastRun.ID); err != nil {
				return err
			}
		}
		snap.LastRun = &state.Run{ID: strconv.Itoa(n + 1)}
		if err := l.Write(ctx, snap); err != nil {
			return err
		}
		if err := l.Release(); err != nil {
			return err
		}
	}
	fmt.Println("updated")
	return nil
}

// die ends the process as the kernel ends one.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// effect does one journalled effect, a line in a file, and dies on the way. It does what every effect must do: when
// it may have happened already, it looks.
func (j job) effect(ctx context.Context, s state.Store) error {
	l, err := s.Acquire(ctx, state.Holder{Name: "child", Operation: "effect"}, patience)
	if err != nil {
		return err
	}
	_, err = l.Journal(node("a")).Do(ctx, "row", map[string]int{"attempt": j.N}, func(_ context.Context, at stage.Attempt) (any, error) {
		if j.Die == "before" {
			die()
		}
		raw, err := os.ReadFile(j.Effects)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		if !at.Again && len(raw) > 0 {
			return nil, errors.New("the effect has happened, and the attempt says that it can't have")
		}
		if len(raw) == 0 {
			if err := os.WriteFile(j.Effects, append(at.Intent, '\n'), 0o600); err != nil {
				return nil, err
			}
		}
		if j.Die == "after" {
			die()
		}
		return map[string]int{"recorded_by": j.N}, nil
	})
	if err != nil {
		return err
	}
	if j.Die == "done" {
		die()
	}
	fmt.Println("effect done")
	return l.Release()
}

// child is a running child process.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

// start starts a child, which does not outlive the test.
func (b Backend) start(t *testing.T, j job) *child {
	t.Helper()
	spec, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	watchdog := time.AfterFunc(3*patience, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		watchdog.Stop()
		c.kill()
	})
	return c
}

// say gives the child a word.
func (c *child) say(word string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		c.t.Fatal(err)
	}
}

// line reads a line, false if the child has ended.
func (c *child) line() (string, bool) {
	line, err := c.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

// expect waits for a line.
func (c *child) expect(want string) {
	c.t.Helper()
	if got, ok := c.line(); !ok || got != want {
		c.t.Errorf("the child says %q, want %q", got, want)
	}
}

// kill ends the child, if it has not ended, and waits for its end.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}
