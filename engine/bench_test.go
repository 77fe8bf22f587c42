package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pipe/engine"
)

// treePlan is a plan file of n stages, each reading the one above it in a binary tree.
func treePlan(n int) string {
	var src strings.Builder
	src.WriteString("input \"raw\" { path = \"raw.txt\" }\n")
	for i := range n {
		from := "input.raw"
		if i > 0 {
			from = fmt.Sprintf("stage.s%d", (i-1)/2)
		}
		fmt.Fprintf(&src, "stage \"text\" \"s%d\" {\n  sources = [%s]\n  suffix  = \"%d\"\n}\n", i, from, i)
	}
	return src.String()
}

// BenchmarkPlanUnchanged plans a pipeline in which nothing changed: parsing, decoding, observing and comparing.
func BenchmarkPlanUnchanged(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, map[string]string{"raw.txt": "a\n", "main.hcl": treePlan(n)})
			w.apply(engine.PlanOptions{})
			b.ReportAllocs()
			for b.Loop() {
				e := w.engine()
				l, diags := e.Load(engine.Source{Path: "main.hcl"})
				if diags.HasErrors() {
					b.Fatal(diags)
				}
				p, diags := e.Plan(context.Background(), l, engine.PlanOptions{})
				if diags.HasErrors() || p.HasChanges() {
					b.Fatal(diags, len(p.Changes))
				}
			}
		})
	}
}
