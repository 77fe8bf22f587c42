package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/check"
	"pipe/engine/diag"
	"pipe/engine/plan"
)

func planOf(changes ...plan.Change) *plan.Plan {
	return &plan.Plan{FormatVersion: plan.FormatVersion, Pipeline: "demo", Environment: "dev", Mode: plan.Normal, Changes: changes}
}

func changeOf(name string, action plan.Action, estimate float64) plan.Change {
	c := plan.Change{Address: addr.New(addr.Stage, name), Kind: addr.Stage, Type: "sql", Action: action, Certainty: plan.Must}
	if estimate > 0 {
		c.Estimate = &plan.Estimate{SecondsP50: estimate, SecondsP90: 2 * estimate, Runs: 3}
	}
	return c
}

func TestPlanEstimates(t *testing.T) {
	p := planOf(changeOf("a", plan.Update, 75), changeOf("b", plan.Update, 0.2), changeOf("c", plan.Create, 0))
	p.Changes[1].Certainty = plan.May
	p.Summary = plan.Summary{Create: 1, Update: 2, NoOp: 4, May: 1}
	var out bytes.Buffer
	Plan(&out, p, Style{})
	want := `Plan for demo in dev

  ~ update   stage.a  sql  runs, about 1 min 15 s
  ~ update   stage.b  sql  may run
  + create   stage.c  sql  runs

Plan: 1 to create, 2 to update, 0 to recheck, 0 to delete; 4 unchanged.
1 of them is skipped if the inputs turn out unchanged.
Expected time: about 1 min 15 s for the 2 of 3 that ran before.
Identity: ` + string(p.Digest()) + "\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Colour is never more than escape sequences around the same text.
func TestColourChangesNoText(t *testing.T) {
	p := planOf(changeOf("a", plan.Create, 3), changeOf("b", plan.Recheck, 0), changeOf("c", plan.Delete, 0), changeOf("d", plan.Move, 0))
	res := &apply.Result{Outcome: apply.Failed, Nodes: []apply.NodeResult{{Address: addr.New(addr.Stage, "a"), Outcome: apply.Failed, Error: "no"}}}
	render := func(s Style) string {
		var out bytes.Buffer
		Plan(&out, p, s)
		Result(&out, res, p, s)
		return out.String()
	}
	coloured := render(Style{Paint: Coloured})
	if !strings.Contains(coloured, "\x1b[32m+\x1b[0m") {
		t.Errorf("no colour in %q", coloured)
	}
	for _, c := range []colour{bold, dim, red, green, yellow, cyan, "0"} {
		coloured = strings.ReplaceAll(coloured, "\x1b["+string(c)+"m", "")
	}
	if plainText := render(Style{}); coloured != plainText {
		t.Errorf("without its escape sequences:\n%s\nplain:\n%s", coloured, plainText)
	}
}

func failingResult(columns, rowCount int, total int64) check.Result {
	r := check.Result{Type: "column_values_to_not_be_null", Args: raw(map[string]any{"column": "c3"}), Severity: check.Error,
		Message: "c3: values are missing", UnexpectedCount: &total}
	for i := range rowCount {
		row := check.Row{Number: int64(1000 + i)}
		for c := range columns {
			row.Columns = append(row.Columns, fmt.Sprintf("c%d", c))
			row.Values = append(row.Values, float64(c)+0.5)
		}
		row.Values[3] = nil
		r.PartialUnexpectedRows = append(r.PartialUnexpectedRows, row)
	}
	return r
}

func TestFailingRows(t *testing.T) {
	r := failingResult(20, 2, 1234)
	var out bytes.Buffer
	failure(&out, &r, "", Style{Width: 40})
	want := `error  c3: values are missing
    row    c3   c0   c1   c2   c4
  1,000  null  0.5  1.5  2.5  4.5
  1,001  null  0.5  1.5  2.5  4.5
  … 1,232 more failing rows; 15 columns not shown
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	failure(&out, &r, "", Style{})
	if lines := strings.Split(out.String(), "\n"); !strings.HasSuffix(lines[1], "c11") || !strings.Contains(lines[4], "8 columns not shown") {
		t.Errorf("without a terminal there must be %d columns:\n%s", maxColumns, out.String())
	}
}

func TestRowsShorterThanTheirColumns(t *testing.T) {
	r := failingResult(5, 1, 1)
	r.PartialUnexpectedRows[0].Values = r.PartialUnexpectedRows[0].Values[:2]
	var out bytes.Buffer
	failure(&out, &r, "", Style{})
	if !strings.Contains(out.String(), "null") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	j := NewJSONLines(&out)
	at := hcl.Range{Filename: "pipe.hcl", Start: hcl.Pos{Line: 2, Column: 3, Byte: 10}, End: hcl.Pos{Line: 2, Column: 6, Byte: 13}}
	j.Diagnostics(hcl.Diagnostics{diag.Warning("config.x", &at, "Sum & all", "a <b>"), {Severity: hcl.DiagError, Summary: "S"}})
	j.Error("engine.error", errors.New("no way"))
	j.Event(apply.Event{Type: apply.RunStarted, Run: "r"})
	want := `{"type":"diagnostic","severity":"warning","code":"config.x","summary":"Sum & all","detail":"a <b>","range":{"file":"pipe.hcl","start":{"line":2,"column":3,"byte":10},"end":{"line":2,"column":6,"byte":13}}}
{"type":"diagnostic","severity":"error","code":"hcl.syntax","summary":"S"}
{"type":"diagnostic","severity":"error","code":"engine.error","summary":"No way."}
{"type":"run_started","at":"0001-01-01T00:00:00Z","run":"r"}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
