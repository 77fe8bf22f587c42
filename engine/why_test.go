package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/plan"
)

// edit is one change that somebody makes, of one attribute or file.
type edit struct {
	name string // address path, as a cause names it
	do   func(d *drawn, files map[string]string)
}

// edits draws a set of edits, each of another attribute or file.
func edits(r *rand.Rand, d drawn) []edit {
	var list []edit
	for i, s := range d.stages {
		at := "stage." + s.name
		if r.IntN(3) == 0 {
			list = append(list, edit{at + " suffix", func(d *drawn, _ map[string]string) { d.stages[i].suffix += "x" }})
		}
		if r.IntN(4) == 0 {
			list = append(list, edit{at + " mode", func(d *drawn, _ map[string]string) {
				d.stages[i].mode = map[string]string{"keep": "sort", "sort": "keep"}[d.stages[i].mode]
			}})
		}
		if r.IntN(4) == 0 {
			list = append(list, edit{at + " expectation", func(d *drawn, _ map[string]string) { d.stages[i].least = 1 - d.stages[i].least }})
		}
		if r.IntN(6) == 0 {
			to := "input." + d.inputs[r.IntN(2)]
			if !slices.Contains(s.sources, to) {
				list = append(list, edit{at + " source", func(d *drawn, _ map[string]string) {
					d.stages[i].sources = append([]string{to}, d.stages[i].sources[1:]...)
				}})
			}
		}
	}
	for _, in := range d.inputs {
		if r.IntN(4) == 0 {
			list = append(list, edit{"input." + in + " observed", func(_ *drawn, files map[string]string) { files[in+".txt"] += "z\n" }})
		}
	}
	return list
}

// named spells a cause as the edits are named.
func named(c plan.Cause, r plan.Reason) string {
	at := c.Address.String()
	switch {
	case r.Code == plan.ExpectationAdded || r.Code == plan.ExpectationRemoved:
		return at + " expectation"
	case r.Input != "":
		return at + " source"
	}
	return at + " " + r.Path
}

// TestWhyIsTheSmallestCause makes random edits at once, asks why each node changes, and reverts: with all that was named
// reverted the node is no longer in the plan; with any one of them left in, it is.
func TestWhyIsTheSmallestCause(t *testing.T) {
	graphs := 60
	if testing.Short() {
		graphs = 10
	}
	asked, several := 0, 0
	for g := range graphs {
		r := rand.New(rand.NewPCG(11, uint64(g)))
		base := draw(r)
		for i := range base.stages {
			base.stages[i].suffix = fmt.Sprintf("s%d", i) // so that no stage's work is another's
		}
		raw := map[string]string{"raw1.txt": "b\na\n", "raw2.txt": "d\nc\n"}
		w := newWorld(t, map[string]string{"main.hcl": base.String(), "raw1.txt": raw["raw1.txt"], "raw2.txt": raw["raw2.txt"]})
		w.apply(engine.PlanOptions{})
		all := edits(r, base)
		with := func(skip map[string]bool) *plan.Plan {
			d, files := drawn{base.inputs, slices.Clone(base.stages)}, map[string]string{"raw1.txt": raw["raw1.txt"], "raw2.txt": raw["raw2.txt"]}
			for _, e := range all {
				if !skip[e.name] {
					e.do(&d, files)
				}
			}
			w.write("main.hcl", d.String())
			for name, content := range files {
				w.write(name, content)
			}
			return w.plan(engine.PlanOptions{})
		}
		p, snap := with(nil), w.snapshot()
		for _, s := range base.stages {
			a := addr.New(addr.Stage, s.name)
			reverted := map[string]bool{}
			for _, c := range plan.Causes(p, snap, a) {
				for _, reason := range c.Reasons {
					reverted[named(c, reason)] = true
				}
			}
			if changes(p, a) != (len(reverted) > 0) {
				t.Fatalf("graph %d: %s changes: %v, causes %v", g, a, changes(p, a), reverted)
			}
			if len(reverted) == 0 {
				continue
			}
			asked++
			if len(reverted) > 1 {
				several++
			}
			if changes(with(reverted), a) {
				t.Errorf("graph %d: %s still changes with %v reverted\n%s\nedits %v", g, a, reverted, base, names(all))
			}
			for name := range reverted {
				if !slices.Contains(names(all), name) {
					t.Errorf("graph %d: %s is no edit; edits %v\n%s", g, name, names(all), base)
				}
				rest := map[string]bool{}
				for other := range reverted {
					rest[other] = other != name
				}
				if !changes(with(rest), a) {
					t.Errorf("graph %d: %s does not change with only %s left: it is no cause", g, a, name)
				}
			}
		}
	}
	if asked < graphs || several < graphs/2 {
		t.Errorf("%d nodes asked for, %d with several causes: the graphs do not try what they should", asked, several)
	}
}

func names(list []edit) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.name)
	}
	return out
}

func changes(p *plan.Plan, a addr.Addr) bool {
	return slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return c.Address == a })
}

// TestWhyOfWhatLiesAbove names an upstream artifact that is newer than what the node was made from.
func TestWhyOfWhatLiesAbove(t *testing.T) {
	w := chainWorld(t)
	w.apply(engine.PlanOptions{})
	w.write("raw.txt", "x\ny\nz\n")
	w.apply(engine.PlanOptions{Targets: []addr.Addr{addr.New(addr.Stage, "sorted")}})
	causes := plan.Causes(w.plan(engine.PlanOptions{}), w.snapshot(), addr.New(addr.Publish, "board"))
	if len(causes) != 1 || causes[0].Address.String() != "stage.loud" || len(causes[0].Reasons) != 1 || causes[0].Reasons[0].Address.String() != "stage.sorted" {
		t.Errorf("%+v", causes)
	}
	w.edit("main.hcl", "loud", "noisy")
	causes = plan.Causes(w.plan(engine.PlanOptions{}), w.snapshot(), addr.New(addr.Publish, "board"))
	if len(causes) != 1 || !strings.HasSuffix(causes[0].Address.String(), "noisy") {
		t.Errorf("after a rename: %+v", causes)
	}
}
