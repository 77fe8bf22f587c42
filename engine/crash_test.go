package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/fault"
)

const (
	childDir         = "PIPE_TEST_CHILD_DIR"
	childParallelism = "PIPE_TEST_CHILD_PARALLELISM"
)

// told prints the nodes that are reported as done.
type told struct{}

func (told) Event(ev apply.Event) {
	if ev.Type == apply.NodeFinished && ev.Outcome == apply.Ran {
		fmt.Println("done", ev.Address)
	}
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	t := &fatal{}
	w := &world{t: t, dir: dir, env: map[string]string{"PIPE_FAULT": os.Getenv("PIPE_FAULT")}}
	parallelism := 1
	if text := os.Getenv(childParallelism); text != "" {
		var err error
		if parallelism, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.applyPlan(w.plan(engine.PlanOptions{}), engine.ApplyOptions{Parallelism: parallelism, Sink: told{}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fatal stands in for the testing.TB of a process that is no test.
type fatal struct{ testing.TB }

func (*fatal) Helper()           {}
func (*fatal) Fatal(args ...any) { fmt.Fprintln(os.Stderr, args...); os.Exit(1) }

// remains is everything that a run leaves, but for times and names of runs.
func remains(w *world) string {
	s := w.snapshot()
	var lines []string
	for a, e := range s.Entries {
		lines = append(lines, fmt.Sprint(a, " ", e.Fingerprint.Digest(), " ", e.Artifact, " ", e.Checks.Digest, " ", e.Materialized))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + fmt.Sprint("\nfailures ", len(s.Failures), "\nfile ", w.read("out/sorted.txt"), "\nboard ", w.board())
}

// messages lists the keys and events of the messages that arrived, sorted.
func messages(w *world) string {
	lines := strings.Split(strings.TrimSpace(w.read("mail")), "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// TestKilledAnywhere kills a real process at every fault point, at every passage of it, and applies again: what is left
// is what one clean run leaves, no effect is repeated and none is lost.
func TestKilledAnywhere(t *testing.T) {
	clean := chainWorld(t)
	clean.apply(engine.PlanOptions{})
	wantState, wantMail := remains(clean), messages(clean)
	for _, point := range fault.Points() {
		for n := 1; ; n++ {
			w := chainWorld(t)
			killed, _ := runChild(t, w, fmt.Sprintf("%s:%d", point, n))
			name := fmt.Sprintf("%s:%d", point, n)
			if !killed {
				if n == 1 {
					t.Errorf("%s is never passed", point)
				}
				break
			}
			res, _ := w.apply(engine.PlanOptions{})
			if res.Outcome != "succeeded" {
				t.Errorf("%s: the apply afterwards %s", name, res.Outcome)
			}
			if got := remains(w); got != wantState {
				t.Errorf("%s: state\n got %s\nwant %s", name, got, wantState)
			}
			if got := messages(w); got != wantMail {
				t.Errorf("%s: messages\n got %s\nwant %s", name, got, wantMail)
			}
			if p := w.plan(engine.PlanOptions{}); p.HasChanges() {
				t.Errorf("%s: the plan afterwards is not empty: %s", name, actions(p))
			}
			verifyAudit(t, w, name)
			t.Logf("killed at %s", name)
		}
	}
}

// TestKilledWhileStoredTogether kills a process that stores many nodes at a time: what it reported as done is in the
// state, and applying again ends as one clean run.
func TestKilledWhileStoredTogether(t *testing.T) {
	files := map[string]string{"raw.txt": "a\n", "main.hcl": treePlan(60)}
	clean := newWorld(t, files)
	clean.apply(engine.PlanOptions{})
	want := remains(clean)
	for _, spec := range []string{"after-put:1", "after-put:20", "state-appended:1", "state-appended:3", "state-appended:5",
		"after-commit:2", "after-commit:30", "state-folded:1", "run-finished:1"} {
		w := newWorld(t, files)
		killed, out := runChild(t, w, spec, childParallelism+"=4")
		if !killed {
			t.Fatalf("%s: not killed: %s", spec, out)
		}
		entries := w.snapshot().Entries
		for _, line := range strings.Split(out, "\n") {
			name, done := strings.CutPrefix(line, "done ")
			if !done {
				continue
			}
			a, err := addr.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			if entries[a] == nil {
				t.Errorf("%s: %s was reported as done and is not in the state", spec, name)
			}
		}
		if res, _ := w.apply(engine.PlanOptions{}); res.Outcome != "succeeded" || remains(w) != want {
			t.Errorf("%s: the apply afterwards %s: state\n got %s\nwant %s", spec, res.Outcome, remains(w), want)
		}
		verifyAudit(t, w, spec)
	}
}

// runChild applies in a process of its own and reports whether it was killed, and what it printed.
func runChild(t *testing.T, w *world, spec string, env ...string) (killed bool, printed string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childDir+"="+w.dir, "PIPE_FAULT="+spec), env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false, string(out)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return true, string(out)
		}
	}
	t.Fatalf("%s: %v\n%s", spec, err, out)
	return false, ""
}

func verifyAudit(t *testing.T, w *world, name string) {
	t.Helper()
	e := w.engine()
	l, _ := e.Load(engine.Source{Path: "main.hcl"})
	if report, err := e.VerifyAudit(context.Background(), l.Pipeline.Settings, l.Pipeline.Name); err != nil || report.Records == 0 {
		t.Errorf("%s: audit: %v %+v", name, err, report)
	}
}
