package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/plan"
	"pipe/engine/state"
)

const chain = `
input "raw" { path = "raw.txt" }
stage "text" "sorted" {
  sources = input.raw
  mode    = "sort"
  to      = "out/sorted.txt"
  expect "table_row_count_to_be_between" { min_value = 2 }
}
stage "text" "loud" {
  sources = [stage.sorted]
  suffix  = "!"
}
publish "post" "board" {
  source = stage.loud
  expect "metric_to_be_between" {
    metric    = "lines"
    min_value = 2
  }
}
notify "mail" "us" { on = ["published", "failed"] }
`

func chainWorld(t testing.TB) *world {
	return newWorld(t, map[string]string{"main.hcl": chain, "raw.txt": "b\na\nc\n"})
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestFirstApplyThenNothing(t *testing.T) {
	w := chainWorld(t)
	want(t, "first plan", actions(w.plan(engine.PlanOptions{})), `
create input.raw (new)
create stage.sorted (new)
create stage.loud (new)
create publish.board gated (new)`)
	res, ran := w.apply(engine.PlanOptions{})
	want(t, "outcome", string(res.Outcome), "succeeded")
	want(t, "ran", ran, "input.raw publish.board stage.loud stage.sorted")
	want(t, "file", w.read("out/sorted.txt"), "a\nb\nc")
	if w.board() == "" || strings.Count(w.read("mail"), "published") != 2 {
		t.Errorf("board %q, mail %q", w.board(), w.read("mail"))
	}
	serial := w.snapshot().Serial
	res, ran = w.apply(engine.PlanOptions{})
	if ran != "" || len(res.Nodes) != 0 || w.snapshot().Serial != serial {
		t.Errorf("a second apply did something: ran %q, serial %d -> %d", ran, serial, w.snapshot().Serial)
	}
}

// TestEdits makes one edit at a time and says what is planned and what runs. Every edit is undone again.
func TestEdits(t *testing.T) {
	tests := []struct{ name, file, old, repl, plan, ran, undone string }{
		{"a parameter", "main.hcl", `"!"`, `"?"`, "update stage.loud (config_changed:suffix)\nupdate publish.board may (input_pending)",
			"publish.board stage.loud", "publish.board"},
		{"a comment", "main.hcl", `mode    =`, "# a comment\n  mode =", "", "", ""},
		{"an option", "main.hcl", `suffix  = "!"`, "suffix = \"!\"\n  timeout = \"5m\"\n  labels = { a = \"b\" }\n  retry { attempts = 4 }", "", "", ""},
		{"a name", "main.hcl", "loud", "noisy", "move stage.noisy (moved)", "", ""},
		{"the name of a publish", "main.hcl", `"post" "board"`, `"post" "wall"`, "move publish.wall (moved)", "", ""},
		{"to", "main.hcl", "out/sorted.txt", "out/ordered.txt", "update stage.sorted* (config_changed:to)", "", ""},
		{"an expectation", "main.hcl", "{ min_value = 2 }", "{ min_value = 1 }",
			"recheck stage.sorted (expectation_changed:table_row_count_to_be_between)", "", ""},
		{"a gate", "main.hcl", "min_value = 2\n", "min_value = 3\n", "recheck publish.board (expectation_changed:metric_to_be_between(lines))", "", ""},
		{"input that sorting undoes", "raw.txt", "b\na\nc\n", "c\nb\na\n",
			"update input.raw (input_changed:observed)\nupdate stage.sorted may (input_pending)\nupdate stage.loud may (input_pending)\nupdate publish.board may (input_pending)",
			"input.raw stage.sorted", ""},
		{"new input", "raw.txt", "c\n", "d\n",
			"update input.raw (input_changed:observed)\nupdate stage.sorted may (input_pending)\nupdate stage.loud may (input_pending)\nupdate publish.board may (input_pending)",
			"input.raw publish.board stage.loud stage.sorted", "publish.board"},
		{"a type that goes away", "main.hcl", "notify", "# notify", "", "", ""},
	}
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			before := w.read(tt.file)
			w.edit(tt.file, tt.old, tt.repl)
			want(t, "plan", actions(w.plan(engine.PlanOptions{})), tt.plan)
			res, ran := w.apply(engine.PlanOptions{})
			want(t, "outcome", string(res.Outcome), "succeeded")
			want(t, "ran", ran, tt.ran)
			want(t, "second plan", actions(w.plan(engine.PlanOptions{})), "")
			w.write(tt.file, before)
			_, ran = w.apply(engine.PlanOptions{})
			want(t, "ran when undone", ran, tt.undone)
			want(t, "plan when undone", actions(w.plan(engine.PlanOptions{})), "")
			want(t, "file", w.read("out/sorted.txt"), "a\nb\nc")
			if files, _ := filepath.Glob(filepath.Join(w.dir, "out", "*")); len(files) != 1 {
				t.Errorf("files below out: %v", files)
			}
		})
	}
}

func TestRejectedArtifactStopsThePublish(t *testing.T) {
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	before, board, entry := w.read("out/sorted.txt"), w.board(), w.snapshot().Entries[addr.New(addr.Stage, "sorted")].Artifact
	w.write("raw.txt", "only\n")
	res, ran := w.apply(engine.PlanOptions{})
	want(t, "ran", ran, "input.raw stage.sorted")
	want(t, "outcome", string(res.Outcome), "failed")
	if n := res.Nodes[1]; n.Outcome != apply.Rejected || n.KeptAt == "" || w.read(n.KeptAt) != "only\n" {
		t.Errorf("rejected: %+v", n)
	}
	if res.Nodes[3].Outcome != apply.Skipped || res.Nodes[3].Cause != addr.New(addr.Stage, "sorted") {
		t.Errorf("publish: %+v", res.Nodes[3])
	}
	if w.read("out/sorted.txt") != before || w.board() != board || w.snapshot().Entries[addr.New(addr.Stage, "sorted")].Artifact != entry {
		t.Error("what was there before the failed check is gone")
	}
	if !strings.Contains(w.read("mail"), "failed stage.sorted was rejected: table_row_count_to_be_between(>= 2): it is 1") {
		t.Errorf("mail: %s", w.read("mail"))
	}
	p := w.plan(engine.PlanOptions{})
	want(t, "plan after the failure", actions(p), "update stage.sorted* (input_changed previous_failure)\nupdate stage.loud (input_changed)\nupdate publish.board may (input_pending)")
	w.edit("main.hcl", "min_value = 2", "min_value = 1")
	res, ran = w.apply(engine.PlanOptions{})
	want(t, "outcome", string(res.Outcome), "succeeded")
	want(t, "ran after the rule was mended", ran, "publish.board stage.loud")
	if len(w.snapshot().Failures) != 0 {
		t.Error("the failure is still recorded")
	}
}

func TestGateOfAPublish(t *testing.T) {
	w := chainWorld(t)
	w.edit("main.hcl", "min_value = 2\n", "min_value = 4\n")
	res, ran := w.apply(engine.PlanOptions{})
	want(t, "ran", ran, "input.raw stage.loud stage.sorted")
	if w.board() != "" || res.Nodes[3].Outcome != apply.Rejected {
		t.Errorf("board %q, %+v", w.board(), res.Nodes[3])
	}
}

func TestDriftAndDamage(t *testing.T) {
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	file := filepath.Join(w.dir, "out/sorted.txt")
	replace := func(content string) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			w.write("out/sorted.txt", content)
		}
	}
	for name, content := range map[string]string{"edited": "edited\n", "removed": ""} {
		replace(content)
		want(t, name, actions(w.plan(engine.PlanOptions{})), "update stage.sorted* (drifted:out/sorted.txt)")
		want(t, name+", refresh only", actions(w.plan(engine.PlanOptions{Mode: plan.RefreshOnly})), "update stage.sorted* (drifted:out/sorted.txt)")
		_, ran := w.apply(engine.PlanOptions{})
		want(t, name+": ran", ran, "")
		want(t, name+": file", w.read("out/sorted.txt"), "a\nb\nc")
	}
	// An edit in place goes through a hard link into the store: the damage is seen and the artifact is made again.
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("in place\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := actions(w.plan(engine.PlanOptions{})); !strings.HasPrefix(got, "update stage.sorted") {
		t.Errorf("plan after an edit in place: %s", got)
	}
	w.apply(engine.PlanOptions{})
	want(t, "file after an edit in place", w.read("out/sorted.txt"), "a\nb\nc")
	want(t, "plan", actions(w.plan(engine.PlanOptions{})), "")
}

func TestDestroyLeavesNothing(t *testing.T) {
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	w.edit("main.hcl", `"!"`, `"?"`)
	w.apply(engine.PlanOptions{})
	if len(strings.Fields(w.board())) != 2 {
		t.Fatalf("board: %s", w.board())
	}
	p := w.plan(engine.PlanOptions{Mode: plan.Destroy})
	want(t, "plan", actions(p), "delete publish.board (removed)\ndelete stage.loud (removed)\ndelete stage.sorted (removed)\ndelete input.raw (removed)")
	res, _ := w.apply(engine.PlanOptions{Mode: plan.Destroy})
	want(t, "outcome", string(res.Outcome), "succeeded")
	if _, err := os.Stat(filepath.Join(w.dir, "out")); !os.IsNotExist(err) || w.board() != "" || len(w.snapshot().Entries) != 0 {
		t.Errorf("left: out %v, board %q, entries %v", err, w.board(), w.snapshot().Entries)
	}
	res, ran := w.apply(engine.PlanOptions{})
	want(t, "outcome of an apply afterwards", string(res.Outcome), "succeeded")
	want(t, "ran afterwards", ran, "publish.board")
}

func TestPreventDestroy(t *testing.T) {
	w := chainWorld(t)
	w.edit("main.hcl", `suffix  = "!"`, "suffix = \"!\"\n  prevent_destroy = true")
	w.apply(engine.PlanOptions{})
	e := w.engine()
	l, _ := e.Load(engine.Source{Path: "main.hcl"})
	if _, diags := e.Plan(context.Background(), l, engine.PlanOptions{Mode: plan.Destroy}); !diags.HasErrors() || !strings.Contains(diags.Error(), "stage.loud") {
		t.Errorf("destroy of a protected node: %v", diags)
	}
}

func TestSavedPlans(t *testing.T) {
	w := chainWorld(t)
	p := w.plan(engine.PlanOptions{})
	if _, err := w.applyPlan(p, engine.ApplyOptions{Saved: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.applyPlan(p, engine.ApplyOptions{Saved: true}); !errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), "applied by run") {
		t.Errorf("second use: %v", err)
	}
	empty := w.plan(engine.PlanOptions{})
	if empty.HasChanges() {
		t.Fatal("not empty")
	}
	if _, err := w.applyPlan(empty, engine.ApplyOptions{Saved: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.applyPlan(empty, engine.ApplyOptions{Saved: true}); !errors.Is(err, engine.ErrStale) {
		t.Errorf("second use of an empty plan: %v", err)
	}
	stale := w.plan(engine.PlanOptions{Replace: []addr.Addr{addr.New(addr.Stage, "loud")}})
	w.edit("main.hcl", `"!"`, `"?"`)
	w.apply(engine.PlanOptions{})
	if _, err := w.applyPlan(stale, engine.ApplyOptions{Saved: true}); !errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), "stage.loud") {
		t.Errorf("stale: %v", err)
	}
}

func TestTwoClonesGiveTheSamePlanAndArtifacts(t *testing.T) {
	a, b := chainWorld(t), chainWorld(t)
	if pa, pb := a.plan(engine.PlanOptions{}), b.plan(engine.PlanOptions{}); pa.Digest() != pb.Digest() {
		t.Fatal("two plans")
	}
	a.apply(engine.PlanOptions{})
	b.apply(engine.PlanOptions{})
	for at, e := range a.snapshot().Entries {
		if o := b.snapshot().Entries[at]; o == nil || o.Artifact != e.Artifact {
			t.Errorf("%s differs", at)
		}
	}
}

func TestRetryTimeoutAndKeepGoing(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "a\n", "main.hcl": `
input "raw" { path = "raw.txt" }
stage "text" "flaky" {
  sources = input.raw
  mode = "flaky"
  retry {
    attempts = 3
    backoff  = "1ms"
  }
}
stage "text" "hang" {
  sources = input.raw
  mode    = "hang"
  timeout = "30ms"
}
stage "text" "below" { sources = [stage.hang] }
stage "text" "zfree" {
  sources = [stage.flaky]
}
`})
	res, err := w.applyPlan(w.plan(engine.PlanOptions{}), engine.ApplyOptions{KeepGoing: true, Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range res.Nodes {
		got[n.Address.String()] = string(n.Outcome) + " " + n.Error
	}
	for address, wanted := range map[string]string{"stage.flaky": "ran ", "stage.zfree": "ran ", "stage.hang": "failed stopped after its timeout of 30ms: raise timeout, or make the work smaller",
		"stage.below": "skipped skipped because stage.hang failed"} {
		want(t, address, got[address], wanted)
	}
	if strings.Count(w.ran(), "stage.flaky") != 2 {
		t.Errorf("attempts: %s", w.ran())
	}
}

// onEvent is a sink that calls a function.
type onEvent func(apply.Event)

func (f onEvent) Event(e apply.Event) { f(e) }

func TestInterrupt(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "a\n", "main.hcl": `
input "raw" { path = "raw.txt" }
stage "text" "hang" {
  sources = input.raw
  mode    = "hang"
}
stage "text" "below" { sources = [stage.hang] }
`})
	p := w.plan(engine.PlanOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	interrupt := onEvent(func(e apply.Event) {
		if e.Type == apply.NodeStarted && e.Address == addr.New(addr.Stage, "hang") {
			cancel()
		}
	})
	res, err := w.engine().Apply(ctx, p, engine.ApplyOptions{Actor: "a@b", Grace: 50 * time.Millisecond, Sink: interrupt})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "outcome", string(res.Outcome), "interrupted")
	if w.snapshot().Entries[addr.New(addr.Input, "raw")] == nil {
		t.Error("what was done before the interrupt is not committed")
	}
	w.edit("main.hcl", `"hang"
}`, `"keep"
}`)
	res, ran := w.apply(engine.PlanOptions{})
	want(t, "outcome of the next apply", string(res.Outcome), "succeeded")
	want(t, "ran", ran, "stage.below stage.hang")
}

func TestLocked(t *testing.T) {
	w := chainWorld(t)
	e := w.engine()
	l, _ := e.Load(engine.Source{Path: "main.hcl"})
	lease, err := e.Lock(context.Background(), l.Pipeline.Settings, l.Pipeline.Name, "ann@desk", "apply", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.applyPlan(w.plan(engine.PlanOptions{}), engine.ApplyOptions{})
	if !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), "ann@desk") {
		t.Errorf("second apply: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = lease.Release() })
	if _, err := w.applyPlan(w.plan(engine.PlanOptions{}), engine.ApplyOptions{LockTimeout: 10 * time.Second}); err != nil {
		t.Errorf("waiting for the lock: %v", err)
	}
}

func TestParallelismDoesNotMatter(t *testing.T) {
	var digests []string
	for _, n := range []int{1, 8} {
		w := chainWorld(t)
		if _, err := w.applyPlan(w.plan(engine.PlanOptions{}), engine.ApplyOptions{Parallelism: n}); err != nil {
			t.Fatal(err)
		}
		s := w.snapshot()
		line := ""
		for _, name := range []string{"sorted", "loud"} {
			line += string(s.Entries[addr.New(addr.Stage, name)].Artifact)
		}
		digests = append(digests, line)
	}
	if digests[0] != digests[1] {
		t.Error("parallelism changes artifacts")
	}
}
