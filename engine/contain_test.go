package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/plan"
)

// TestContainment applies random edits of random graphs, some of which make outputs that are equal to those before. What runs
// contains every must and lies within must and may. Nodes that were gated or skipped by a failed check do not run.
func TestContainment(t *testing.T) {
	graphs := 60
	if testing.Short() {
		graphs = 10
	}
	musts, mays, spared := 0, 0, 0
	for g := range graphs {
		r := rand.New(rand.NewPCG(13, uint64(g)))
		d := draw(r)
		w := newWorld(t, map[string]string{"main.hcl": d.String(), "raw1.txt": "b\na\n", "raw2.txt": "d\nc\n"})
		w.apply(engine.PlanOptions{})
		for range 3 {
			for range 1 + r.IntN(3) {
				d = d.edited(r)
				d.stages = slices.CompactFunc(d.stages, func(a, b drawnStage) bool { return a.name == b.name })
				d = d.unique()
			}
			if r.IntN(2) == 0 { // the same lines in another order: sorting undoes it
				w.write("raw1.txt", []string{"a\nb\n", "b\na\n"}[r.IntN(2)])
			}
			w.write("main.hcl", d.String())
			p := w.plan(engine.PlanOptions{})
			_ = os.Remove(w.dir + "/runs.log")
			res, err := w.applyPlan(p, engine.ApplyOptions{Saved: true})
			if err != nil {
				t.Fatal(err)
			}
			ran := strings.Fields(w.ran())
			for _, c := range p.Changes {
				runs := (c.Action == plan.Create || c.Action == plan.Update) && !c.Cached
				at := c.Address.String()
				did := slices.Contains(ran, at)
				switch {
				case !runs && did:
					t.Errorf("graph %d: %s %s ran", g, c.Action, at)
				case runs && c.Certainty == plan.Must && !did && res.Outcome == "succeeded":
					t.Errorf("graph %d: %s must run and did not\n%s", g, at, actions(p))
				}
				if runs && c.Certainty == plan.Must {
					musts++
				}
				if c.Certainty == plan.May {
					mays++
					if !did {
						spared++
					}
				}
				ran = slices.DeleteFunc(ran, func(s string) bool { return s == at })
			}
			if len(ran) > 0 {
				t.Errorf("graph %d: %v ran, and no change says so\n%s", g, ran, actions(p))
			}
			if again := w.plan(engine.PlanOptions{}); res.Outcome == "succeeded" && again.HasChanges() {
				t.Errorf("graph %d: apply, then plan: %s", g, actions(again))
			}
		}
	}
	if musts < graphs || mays < graphs/2 || spared == 0 {
		t.Errorf("%d must, %d may, %d spared: the graphs do not try what they should", musts, mays, spared)
	}
}

// unique renames stages that edits gave the same name.
func (d drawn) unique() drawn {
	seen := map[string]bool{}
	for i := range d.stages {
		for n := 2; seen[d.stages[i].name]; n++ {
			d.stages[i].name = fmt.Sprintf("new%d", n)
		}
		seen[d.stages[i].name] = true
	}
	return d
}
