package engine_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/plan"
	"pipe/engine/view"
)

const monthly = `
locals { months = months("2024-01", "2024-06") }
input "raw" {
  for_each = local.months
  path     = "data/${each.key}.txt"
}
stage "text" "bars" {
  for_each = local.months
  sources  = [input.raw[each.key]]
  suffix   = "-${each.key}"
}
stage "text" "smooth" {
  for_each = local.months
  sources  = window(stage.bars, each.key, 3)
}
`

func monthlyWorld(t testing.TB) *world {
	files := map[string]string{"main.hcl": monthly}
	for m := 1; m <= 6; m++ {
		files[fmt.Sprintf("data/2024-%02d.txt", m)] = fmt.Sprintf("m%d\n", m)
	}
	return newWorld(t, files)
}

func planText(p *plan.Plan) string {
	var b bytes.Buffer
	view.Plan(&b, p, view.Style{Timing: view.Untimed})
	return b.String()
}

// TestOnlyChangedPartitionsRun changes the file of one month: its instances run, and the windows that it is in.
func TestOnlyChangedPartitionsRun(t *testing.T) {
	w := monthlyWorld(t)
	text := planText(w.plan(engine.PlanOptions{}))
	for _, line := range []string{"+ create   input.raw[2024-01..2024-06]     file  6 instances: runs (new)",
		"+ create   stage.bars[2024-01..2024-06]    text  6 instances: runs (new)"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	w.apply(engine.PlanOptions{})
	want(t, "second", actions(w.plan(engine.PlanOptions{})), "")
	w.write("data/2024-03.txt", "new\n")
	_, ran := w.apply(engine.PlanOptions{})
	want(t, "a month", ran, `input.raw["2024-03"] stage.bars["2024-03"] stage.smooth["2024-03"] stage.smooth["2024-04"] stage.smooth["2024-05"]`)
	w.write("data/2024-06.txt", "last\n")
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "the last month", ran, `input.raw["2024-06"] stage.bars["2024-06"] stage.smooth["2024-06"]`)
}

func TestAWindowIsReadInItsOrder(t *testing.T) {
	w := monthlyWorld(t)
	w.write("main.hcl", monthly+`stage "text" "show" {
  sources = stage.smooth["2024-04"]
  to      = "four.txt"
}
stage "text" "first" {
  sources = stage.smooth["2024-02"]
  to      = "two.txt"
}
`)
	w.apply(engine.PlanOptions{})
	want(t, "window", strings.Join(strings.Fields(w.read("four.txt")), " "), "m2-2024-02 m3-2024-03 m4-2024-04")
	want(t, "start of the range", strings.Join(strings.Fields(w.read("two.txt")), " "), "m1-2024-01 m2-2024-02")
}

func TestNewFailedAndRestatedPartitions(t *testing.T) {
	w := monthlyWorld(t)
	w.apply(engine.PlanOptions{})
	// A month more, and one that fails: the others stay as they are.
	w.write("data/2024-07.txt", "m7\n")
	w.edit("main.hcl", `"2024-06"`, `"2024-07"`)
	w.edit("main.hcl", `suffix   = "-${each.key}"`, `suffix   = "-${each.key}"
  mode     = each.key == "2024-07" ? "fail" : "keep"`)
	_, ran := w.apply(engine.PlanOptions{})
	want(t, "a month that fails", ran, `input.raw["2024-07"] stage.bars["2024-07"]`)
	w.edit("main.hcl", `"fail"`, `"sort"`)
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "again", ran, `stage.bars["2024-07"] stage.smooth["2024-07"]`)
	// A month is made anew on demand; its output is the same, so nothing below it runs.
	_, ran = w.apply(engine.PlanOptions{Replace: []addr.Addr{addr.New(addr.Stage, "bars").Instance("2024-05")}})
	want(t, "restated", ran, `stage.bars["2024-05"]`)
}

func TestPlanTextOfGroups(t *testing.T) {
	w := monthlyWorld(t)
	w.apply(engine.PlanOptions{})
	w.edit("main.hcl", `suffix   = "-${each.key}"`, `suffix   = "-${each.key}"
  mode     = each.key == "2024-03" ? "keep" : "sort"`)
	text := planText(w.plan(engine.PlanOptions{}))
	text, _, _ = strings.Cut(text, "  ~ update   stage.smooth")
	want(t, "all but one", text, `
Plan for main in dev

  ~ update   stage.bars[2024-01..2024-06 except 2024-03]  text  5 instances: runs
               mode: "keep" -> "sort"`)
	w.edit("main.hcl", `each.key == "2024-03" ? "keep" : "sort"`, `"sort"`)
	text = planText(w.plan(engine.PlanOptions{}))
	text, _, _ = strings.Cut(text, "Identity:")
	want(t, "all", text, `
Plan for main in dev

  ~ update   stage.bars[2024-01..2024-06]    text  6 instances: runs
               mode: "keep" -> "sort"
  ~ update   stage.smooth["2024-01"]         text  may run
               waits for stage.bars["2024-01"] (input sources[0])
  ~ update   stage.smooth["2024-02"]         text  may run
               waits for stage.bars["2024-01"] (input sources[0])
               waits for stage.bars["2024-02"] (input sources[1])
  ~ update   stage.smooth[2024-03..2024-06]  text  4 instances: may run
               waits for stage.bars[each.key-2] (input sources[0])
               waits for stage.bars[each.key-1] (input sources[1])
               waits for stage.bars[each.key] (input sources[2])

Plan: 0 to create, 12 to update, 0 to recheck, 0 to delete; 6 unchanged.
6 of them are skipped if the inputs turn out unchanged.`)
}
