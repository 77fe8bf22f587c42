package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"pipe/engine"
)

// flatPlan is a plan file of n instances of one stage that has nothing to do with each other.
func flatPlan(n int, typ, attrs string) string {
	return fmt.Sprintf("stage %q \"s\" {\n  for_each = toset([for i in flatten([for j in range(%d) : [for k in range(%d) : j * %d + k]]) : format(\"k%%05d\", i)])\n  %s\n}\n",
		typ, (n+999)/1000, min(n, 1000), min(n, 1000), attrs)
}

// BenchmarkApply applies pipelines of n nodes, state, artifacts and audit log durable, and reports the time of a node:
// "nothing" has nodes that do nothing and leave no file, "file" ones that leave a file each, "tree" and "chain" ones that
// also read a file, of the node above.
func BenchmarkApply(b *testing.B) {
	for _, shape := range []struct {
		name  string
		plan  func(n int) string
		sizes []int
	}{
		{"nothing", func(n int) string { return flatPlan(n, "nothing", "key = each.key") }, []int{100, 1000, 10000}},
		{"file", func(n int) string { return flatPlan(n, "nothing", "key  = each.key\n  file = true") }, []int{1000, 10000}},
		{"tree", treePlan, []int{1000}},
		{"chain", chainPlan, []int{100}},
	} {
		for _, n := range shape.sizes {
			b.Run(fmt.Sprint(shape.name, "/", n), func(b *testing.B) { benchApply(b, shape.plan(n), n) })
		}
	}
}

func benchApply(b *testing.B, src string, n int) {
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, map[string]string{"raw.txt": "a\n", "main.hcl": src})
		p := w.plan(engine.PlanOptions{})
		b.StartTimer()
		res, err := w.applyPlan(p, engine.ApplyOptions{Parallelism: 2})
		if err != nil || res.Outcome != "succeeded" || len(res.Nodes) < n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N)/float64(n), "ms/node")
}

// chainPlan is a plan file of n stages, each reading the one before it.
func chainPlan(n int) string {
	var src strings.Builder
	src.WriteString("input \"raw\" { path = \"raw.txt\" }\n")
	for i := range n {
		from := "input.raw"
		if i > 0 {
			from = fmt.Sprintf("stage.s%d", i-1)
		}
		fmt.Fprintf(&src, "stage \"text\" \"s%d\" {\n  sources = [%s]\n  suffix  = \"x\"\n}\n", i, from)
	}
	return src.String()
}
