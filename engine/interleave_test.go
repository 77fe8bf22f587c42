package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/plan"
	"pipe/engine/state"
)

// drawn is a random pipeline of text stages over two files, as a list of blocks that edits change.
type drawn struct {
	inputs []string
	stages []drawnStage
}

type drawnStage struct {
	name, suffix, mode string
	sources            []string // addresses
	least              int      // of lines, by an expectation; 0: none
}

func draw(r *rand.Rand) drawn {
	d := drawn{inputs: []string{"raw1", "raw2"}}
	for i := range 3 + r.IntN(3) {
		d.stages = append(d.stages, drawStage(r, d, fmt.Sprintf("s%d", i)))
	}
	return d
}

func drawStage(r *rand.Rand, d drawn, name string) drawnStage {
	s := drawnStage{name: name, suffix: string(rune('a' + r.IntN(3))), mode: []string{"keep", "sort"}[r.IntN(2)], least: r.IntN(2)}
	var all []string
	for _, in := range d.inputs {
		all = append(all, "input."+in)
	}
	for _, up := range d.stages {
		all = append(all, "stage."+up.name)
	}
	for _, i := range r.Perm(len(all))[:1+r.IntN(2)] {
		s.sources = append(s.sources, all[i])
	}
	slices.Sort(s.sources)
	return s
}

// edited returns the pipeline with one or two random edits: of attributes, of expectations, a new stage, a sink less.
func (d drawn) edited(r *rand.Rand) drawn {
	next := drawn{inputs: d.inputs, stages: slices.Clone(d.stages)}
	for range 1 + r.IntN(2) {
		i := r.IntN(len(next.stages))
		s := &next.stages[i]
		switch r.IntN(6) {
		case 0, 1:
			s.suffix += "x"
		case 2:
			s.mode = map[string]string{"keep": "sort", "sort": "keep"}[s.mode]
		case 3:
			s.least = 1 - s.least
		case 4:
			next.stages = append(next.stages, drawStage(r, next, "new"))
			return next
		case 5:
			if len(next.stages) > 1 { // the last one is a sink
				next.stages = next.stages[:len(next.stages)-1]
			}
		}
	}
	return next
}

func (d drawn) String() string {
	var b strings.Builder
	for _, in := range d.inputs {
		fmt.Fprintf(&b, "input %q { path = \"%s.txt\" }\n", in, in)
	}
	for _, s := range d.stages {
		fmt.Fprintf(&b, "stage \"text\" %q {\n  sources = [%s]\n  suffix = %q\n  mode = %q\n", s.name, strings.Join(s.sources, ", "), s.suffix, s.mode)
		if s.least > 0 {
			fmt.Fprintf(&b, "  expect \"table_row_count_to_be_between\" { min_value = %d }\n", s.least)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// sources lists what a node reads in this pipeline.
func (d drawn) sources(a addr.Addr) []string {
	for _, s := range d.stages {
		if "stage."+s.name == a.String() {
			return s.sources
		}
	}
	return nil
}

// reads is what a plan rests on, by the definition: the records of the nodes that it changes, and the artifacts of those that
// it takes as they are.
func reads(p *plan.Plan, d drawn) (records, artifacts map[string]bool) {
	records, artifacts = map[string]bool{}, map[string]bool{}
	for _, c := range p.Changes {
		records[c.Address.String()] = true
		if !c.From.IsZero() {
			records[c.From.String()] = true
		}
	}
	for _, c := range p.Changes {
		if c.Action == plan.Delete {
			continue
		}
		for _, s := range d.sources(c.Address) {
			if !records[s] {
				artifacts[s] = true
			}
		}
	}
	return records, artifacts
}

// writes is what lies between two snapshots, whatever plan was applied.
func writes(before, after *state.Snapshot) (records, artifacts map[string]bool) {
	records, artifacts = map[string]bool{}, map[string]bool{}
	at := map[addr.Addr]bool{}
	for a := range before.Entries {
		at[a] = true
	}
	for a := range after.Entries {
		at[a] = true
	}
	for a := range at {
		b, e := before.Entries[a], after.Entries[a]
		switch {
		case b == nil || e == nil:
			records[a.String()], artifacts[a.String()] = true, true
			continue
		case b.Artifact != e.Artifact:
			artifacts[a.String()] = true
		}
		if b.Artifact != e.Artifact || !reflect.DeepEqual(b.Fingerprint, e.Fingerprint) || !reflect.DeepEqual(b.Checks.Expectations, e.Checks.Expectations) {
			records[a.String()] = true
		}
	}
	return records, artifacts
}

func meet(a, b map[string]bool) bool {
	for k := range a {
		if b[k] {
			return true
		}
	}
	return false
}

// side is one of two people who plan an edit of their own and apply it.
type side struct {
	pipeline drawn
	targets  []addr.Addr
	plan     *plan.Plan
}

// TestInterleavings lets two plans of one state be made and applied in every order, on random graphs with random edits. A
// plan is accepted exactly when nothing that it read was written after it was made; two that are both accepted commute.
func TestInterleavings(t *testing.T) {
	graphs := 40
	if testing.Short() {
		graphs = 8
	}
	accepted, refused, commuted := 0, 0, 0
	for g := range graphs {
		r := rand.New(rand.NewPCG(7, uint64(g)))
		base := draw(r)
		w := newWorld(t, map[string]string{"main.hcl": base.String(), "raw1.txt": "b\na\n", "raw2.txt": "d\nc\n"})
		w.apply(engine.PlanOptions{})
		edits := [2]drawn{base.edited(r), base.edited(r)}
		var targets [2][]addr.Addr
		for i := range targets {
			if r.IntN(3) == 0 {
				targets[i] = []addr.Addr{addr.New(addr.Stage, edits[i].stages[r.IntN(len(edits[i].stages))].name)}
			}
		}
		ends := map[string]string{}
		for _, order := range []string{"pPqQ", "pqPQ", "pqQP", "qpPQ", "qpQP", "qQpP"} {
			end, both := interleave(t, w, order, [2]*side{{pipeline: edits[0], targets: targets[0]}, {pipeline: edits[1], targets: targets[1]}}, &accepted, &refused)
			if both && (order == "pqPQ" || order == "pqQP") {
				ends[order] = end
			}
		}
		if len(ends) == 2 {
			commuted++
			if ends["pqPQ"] != ends["pqQP"] {
				t.Errorf("graph %d: the order of two disjoint plans matters:\n%s\n%s", g, ends["pqPQ"], ends["pqQP"])
			}
		}
	}
	if accepted < graphs || refused < graphs/2 || commuted == 0 {
		t.Errorf("%d accepted, %d refused, %d commuted: the graphs do not try what they should", accepted, refused, commuted)
	}
}

// interleave runs one order on a copy of the world and returns the artifacts at its end.
func interleave(t *testing.T, origin *world, order string, sides [2]*side, accepted, refused *int) (string, bool) {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	if err := os.CopyFS(w.dir, os.DirFS(origin.dir)); err != nil {
		t.Fatal(err)
	}
	var written [2][2]map[string]bool // since the plan of a side was made: records, artifacts
	both := true
	for _, step := range order {
		me := int(strings.ToLower(string(step))[0] - 'p')
		s := sides[me]
		if step == 'p' || step == 'q' {
			w.write("main.hcl", s.pipeline.String())
			s.plan = w.plan(engine.PlanOptions{Targets: s.targets})
			written[me] = [2]map[string]bool{{}, {}}
			continue
		}
		before := w.snapshot()
		_, err := w.applyPlan(s.plan, engine.ApplyOptions{Saved: true})
		records, artifacts := reads(s.plan, s.pipeline)
		free := !meet(records, written[me][0]) && !meet(artifacts, written[me][1])
		var stale *engine.StaleError
		switch {
		case err != nil && !errors.As(err, &stale):
			t.Fatal(err)
		case (err == nil) != free:
			t.Errorf("%s, step %c: err = %v, but what it read is untouched: %v\nreads %v %v\nwritten %v", order, step, err, free, records, artifacts, written[me])
		case err == nil:
			*accepted++
		default:
			*refused++
			both = false
			for _, read := range stale.Reads {
				if name, _, _ := strings.Cut(read, " "); !written[me][0][strings.TrimSuffix(name, ",")] && !written[me][1][strings.TrimSuffix(name, ",")] {
					t.Errorf("%s: %q names what was not written", order, read)
				}
			}
		}
		now := w.snapshot()
		if err != nil && !reflect.DeepEqual(before, now) {
			t.Errorf("%s: a refused plan changed the state", order)
		}
		rec, art := writes(before, now)
		for i := range written {
			if i != me && written[i][0] != nil {
				for a := range rec {
					written[i][0][a] = true
				}
				for a := range art {
					written[i][1][a] = true
				}
			}
		}
		if _, err := w.applyPlan(s.plan, engine.ApplyOptions{Saved: true}); !errors.Is(err, engine.ErrStale) {
			t.Errorf("%s: a second use of %c: %v", order, step, err)
		}
	}
	var end []string
	for a, e := range w.snapshot().Entries {
		end = append(end, a.String()+" "+string(e.Artifact))
	}
	slices.Sort(end)
	return strings.Join(end, "\n"), both
}

// TestStaleObservation refuses a plan before anything runs when a file that it read was changed, and only then.
func TestStaleObservation(t *testing.T) {
	files := map[string]string{"raw1.txt": "a\n", "raw2.txt": "b\n", "main.hcl": `
input "one" { path = "raw1.txt" }
input "two" { path = "raw2.txt" }
stage "text" "first" { sources = [input.one] }
stage "text" "second" { sources = [input.two] }
`}
	w := newWorld(t, files)
	w.apply(engine.PlanOptions{})
	w.write("raw1.txt", "aa\n")
	p := w.plan(engine.PlanOptions{})
	w.write("raw1.txt", "aaa\n")
	_ = os.Remove(w.dir + "/runs.log")
	_, err := w.applyPlan(p, engine.ApplyOptions{Saved: true})
	if !errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), "input.one") || w.ran() != "" {
		t.Errorf("%v, ran %q", err, w.ran())
	}
	w.write("raw1.txt", "aa\n")
	w.write("raw2.txt", "bb\n")
	if _, err := w.applyPlan(p, engine.ApplyOptions{Saved: true}); err != nil {
		t.Errorf("a file that the plan does not read: %v", err)
	}
	want(t, "ran", w.ran(), "input.one stage.first")
}

// TestUsedPlanStaysUsed brings the records back to what they were when a used plan was made.
func TestUsedPlanStaysUsed(t *testing.T) {
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	w.edit("main.hcl", `"!"`, `"?"`)
	p := w.plan(engine.PlanOptions{})
	if _, err := w.applyPlan(p, engine.ApplyOptions{Saved: true}); err != nil {
		t.Fatal(err)
	}
	w.edit("main.hcl", `"?"`, `"!"`)
	w.apply(engine.PlanOptions{})
	var stale *engine.StaleError
	if _, err := w.applyPlan(p, engine.ApplyOptions{Saved: true}); !errors.As(err, &stale) || !stale.Used {
		t.Errorf("a used plan of the same records: %v", err)
	}
}
