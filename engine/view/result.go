package view

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"pipe/engine/apply"
	"pipe/engine/check"
	"pipe/engine/plan"
)

// Result writes the end of a run: failures with their causes, rejected artifacts with their failing rows, the counts,
// and the outputs.
func Result(w io.Writer, r *apply.Result, p *plan.Plan, s Style) {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		switch n.Outcome {
		case apply.Rejected:
			rejected(w, n, s)
		case apply.Failed:
			fmt.Fprintf(w, "\n%s %s\n", s.paint(red, n.Address.String()+" failed:"), strings.TrimSpace(n.Error))
		}
	}
	for i := range r.Nodes {
		warned(w, &r.Nodes[i], s)
	}
	skipped(w, r, s)
	fmt.Fprintln(w)
	ResultSummary(w, r, s)
	if r.Outcome == apply.Succeeded {
		outputs(w, p.Outputs, s)
	}
}

func rejected(w io.Writer, n *apply.NodeResult, s Style) {
	failed := check.Failed(n.Results)
	fmt.Fprintf(w, "\n%s %d of %d expectations failed.\n", s.paint(red, n.Address.String()+" was rejected:"), len(failed), len(n.Results))
	for i := range failed {
		failure(w, &failed[i], "  ", s)
	}
	if n.KeptAt != "" {
		fmt.Fprintf(w, "  What was rejected is kept at %s\n", n.KeptAt)
	}
}

// warned writes the failures of expectations that stop nothing.
func warned(w io.Writer, n *apply.NodeResult, s Style) {
	first := true
	for i := range n.Results {
		r := &n.Results[i]
		if r.Success || r.Severity.Blocks() {
			continue
		}
		if first {
			fmt.Fprintf(w, "\n%s\n", s.paint(yellow, n.Address.String()+" has warnings:"))
			first = false
		}
		failure(w, r, "  ", s)
	}
}

// skipped names the nodes that did not run, by what stopped them.
func skipped(w io.Writer, r *apply.Result, s Style) {
	by := map[string][]string{}
	var order []string
	for _, n := range r.Nodes {
		if n.Outcome != apply.Skipped {
			continue
		}
		why := "Skipped, " + n.Error
		if !n.Cause.IsZero() {
			why = "Skipped because of " + n.Cause.String()
		}
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], n.Address.String())
	}
	for _, why := range order {
		fmt.Fprintf(w, "\n%s %s\n", s.paint(yellow, why+":"), some(by[why]))
	}
}

// some lists names, the first of them if there are many.
func some(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

// ResultSummary writes the outcome and the counts of a run.
func ResultSummary(w io.Writer, r *apply.Result, s Style) {
	word := s.paint(green, "Apply complete:")
	switch r.Outcome {
	case apply.Failed:
		word = s.paint(red, "Apply failed:")
	case apply.Interrupted:
		word = s.paint(yellow, "Apply interrupted:")
	}
	outcomes := []apply.Outcome{apply.Ran, apply.Restored, apply.Unchanged, apply.Rechecked, apply.Imported, apply.Moved, apply.Deleted,
		apply.Forgotten, apply.Failed, apply.Rejected, apply.Skipped}
	var parts []string
	for _, o := range outcomes {
		if n := r.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	line := fmt.Sprintf("%s %s%s.", word, strings.Join(parts, ", "), s.took(" in ", r.Seconds))
	if r.Run != "" {
		line += " Run " + r.Run + "."
	}
	fmt.Fprintln(w, line)
}

func outputs(w io.Writer, list map[string]plan.Variable, s Style) {
	if len(list) == 0 {
		return
	}
	names := make([]string, 0, len(list))
	for n := range list {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintf(w, "\n%s\n", s.paint(bold, "Outputs:"))
	for _, n := range names {
		fmt.Fprintf(w, "  %s = %s\n", n, outputValue(list[n]))
	}
}

func outputValue(v plan.Variable) string {
	if v.Sensitive {
		return "(sensitive)"
	}
	if len(v.Value) == 0 {
		return "(known to runs only)"
	}
	return string(v.Value)
}
