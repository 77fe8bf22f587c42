package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/plan"
)

// instances is a pipeline of n instances of ten blocks with for_each, each chained to the one above of the same key.
func instances(n int) string {
	var b strings.Builder
	keys := n / 10
	fmt.Fprintf(&b, "input \"raw\" { path = \"raw.txt\" }\nlocals {\n  keys = flatten([for j in range(%d) : [for i in range(%d) : format(\"k%%03d-%%03d\", j, i)]])\n}\n",
		max(1, keys/1000), min(keys, 1000))
	for i := range 10 {
		up := "input.raw"
		if i > 0 {
			up = fmt.Sprintf("stage.b%d[each.key]", i-1)
		}
		fmt.Fprintf(&b, "stage \"text\" \"b%d\" {\n  for_each = toset(local.keys)\n  sources  = [%s]\n  suffix   = \"%d\"\n}\n", i, up, i)
	}
	return b.String()
}

func planOnce(b *testing.B, w *world) *plan.Plan {
	b.Helper()
	e := w.engine()
	l, diags := e.Load(engine.Source{Path: "main.hcl"})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	p, diags := e.Plan(context.Background(), l, engine.PlanOptions{})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	if _, err := p.Encode(); err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkPlanInstances plans for the first time, from plan files to the plan's bytes.
func BenchmarkPlanInstances(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, map[string]string{"main.hcl": instances(n), "raw.txt": "a\n"})
			for b.Loop() {
				if p := planOnce(b, w); p.Summary.Create < n {
					b.Fatal(p.Summary)
				}
			}
		})
	}
}

// BenchmarkPlanInstancesUnchanged plans where nothing changed, and where one leaf did.
func BenchmarkPlanInstancesUnchanged(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		w := newWorld(b, map[string]string{"main.hcl": instances(n), "raw.txt": "a\n"})
		w.apply(engine.PlanOptions{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if p := planOnce(b, w); p.HasChanges() {
					b.Fatal(p.Summary)
				}
			}
		})
		w.edit("main.hcl", `suffix   = "9"`, `suffix   = each.key == "k000-000" ? "x" : "9"`)
		b.Run(fmt.Sprintf("%d/leaf", n), func(b *testing.B) {
			for b.Loop() {
				if p := planOnce(b, w); len(p.Changes) != 1 {
					b.Fatal(p.Summary)
				}
			}
		})
	}
}

// BenchmarkPlanBlocksWarm plans where nothing changed, with the decoded form that the plan before kept.
func BenchmarkPlanBlocksWarm(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, map[string]string{"main.hcl": treePlan(n), "raw.txt": "a\n"})
			planOnce(b, w)
			for b.Loop() {
				planOnce(b, w)
			}
		})
	}
}
