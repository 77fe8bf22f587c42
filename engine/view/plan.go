package view

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"pipe/engine/plan"
)

// Plan writes the proposed changes: a line for each node with what happens to it, the reasons below it, the counts,
// and the plan's identity.
func Plan(w io.Writer, p *plan.Plan, s Style) {
	if !p.HasChanges() {
		fmt.Fprintf(w, "%s %s\n\n", s.paint(bold, "No changes."), nothing(p))
		Identity(w, p, s)
		return
	}
	fmt.Fprintf(w, "%s\n\n", title(p, s))
	list := alike(p)
	width := groupColumns(list)
	for _, g := range list {
		instances(w, g, p, width, s)
	}
	fmt.Fprintln(w)
	PlanSummary(w, p, s)
	Identity(w, p, s)
}

func nothing(p *plan.Plan) string {
	switch p.Mode {
	case plan.Destroy:
		return fmt.Sprintf("There is nothing of %s in %s to destroy.", p.Pipeline, p.Environment)
	case plan.RefreshOnly:
		return fmt.Sprintf("Every materialised file of %s in %s is as it was put there.", p.Pipeline, p.Environment)
	}
	if len(p.Targets) > 0 {
		return fmt.Sprintf("%s and what it needs is up to date in %s.", targets(p), p.Environment)
	}
	return fmt.Sprintf("%s in %s is up to date: %s unchanged.", p.Pipeline, p.Environment, Plural(int64(p.Summary.NoOp), "node", "nodes"))
}

func targets(p *plan.Plan) string {
	names := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

func title(p *plan.Plan, s Style) string {
	what := "Plan for"
	switch p.Mode {
	case plan.Destroy:
		what = "Plan to destroy"
	case plan.RefreshOnly:
		what = "Plan to restore the materialised files of"
	}
	return s.paint(bold, fmt.Sprintf("%s %s in %s", what, p.Pipeline, p.Environment))
}

// PlanSummary writes the counts of a plan.
func PlanSummary(w io.Writer, p *plan.Plan, s Style) {
	sum := p.Summary
	counts := fmt.Sprintf("%d to create, %d to update, %d to recheck, %d to delete", sum.Create, sum.Update, sum.Recheck, sum.Delete)
	if sum.Move > 0 {
		counts += fmt.Sprintf(", %d to move", sum.Move)
	}
	if sum.Import > 0 {
		counts += fmt.Sprintf(", %d to import", sum.Import)
	}
	rest := "unchanged"
	var notes []string
	if len(p.Targets) > 0 {
		rest = "unchanged or left out"
		notes = append(notes, fmt.Sprintf("Limited to %s and what it needs.", targets(p)))
	}
	fmt.Fprintf(w, "%s %s; %d %s.\n", s.paint(bold, "Plan:"), counts, sum.NoOp, rest)
	if sum.Cached > 0 {
		notes = append(notes, fmt.Sprintf("%d of them %s nothing to run: the store has the result.", sum.Cached, verb(sum.Cached, "needs", "need")))
	}
	if sum.May > 0 {
		notes = append(notes, fmt.Sprintf("%d of them %s if the inputs turn out unchanged.", sum.May, verb(sum.May, "is skipped", "are skipped")))
	}
	if e, runs, of := expected(p); s.worth(e) {
		note := "Expected time: about " + seconds(e)
		if runs < of {
			note += fmt.Sprintf(" for the %d of %d that ran before", runs, of)
		}
		notes = append(notes, note+".")
	}
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// expected sums up the median durations of what runs.
func expected(p *plan.Plan) (total float64, runs, of int) {
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Cached || (c.Action != plan.Create && c.Action != plan.Update) {
			continue
		}
		of++
		if c.Estimate != nil {
			total += c.Estimate.SecondsP50
			runs++
		}
	}
	return total, runs, of
}

// Identity writes the SHA-256 of a plan.
func Identity(w io.Writer, p *plan.Plan, s Style) {
	fmt.Fprintf(w, "%s %s\n", s.paint(dim, "Identity:"), p.Digest())
}

// layout is the widths of a plan's columns.
type layout struct{ address, typ int }

// columns makes room for the longest address and type, within reason: one that is longer moves the rest of its line.
func columns(changes []plan.Change) layout {
	var l layout
	for i := range changes {
		l.address = max(l.address, utf8.RuneCountInString(changes[i].Address.String()))
		l.typ = max(l.typ, utf8.RuneCountInString(changes[i].Type))
	}
	return layout{min(l.address, 40), min(l.typ, 20)}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// sign is how an action is marked.
type sign struct {
	mark   string
	word   string
	colour colour
}

func signOf(a plan.Action) sign {
	switch a {
	case plan.Create:
		return sign{"+", "create", green}
	case plan.Update:
		return sign{"~", "update", yellow}
	case plan.Recheck:
		return sign{"?", "recheck", cyan}
	case plan.Delete:
		return sign{"-", "delete", red}
	case plan.Move:
		return sign{">", "move", cyan}
	case plan.Import:
		return sign{"<", "import", cyan}
	}
	return sign{" ", "keep", dim}
}

// signFor is the mark of a change: a delete that only forgets has one of its own.
func signFor(c *plan.Change) sign {
	if c.Forget {
		return sign{"-", "forget", yellow}
	}
	return signOf(c.Action)
}

func change(w io.Writer, c *plan.Change, p *plan.Plan, l layout, s Style) {
	sg := signFor(c)
	line := fmt.Sprintf("  %s %s  %s  %s", s.paint(sg.colour, sg.mark), s.paint(sg.colour, pad(sg.word, len("recheck"))),
		pad(c.Address.String(), l.address), s.paint(dim, pad(c.Type, l.typ)))
	if note := noteOf(c, s); note != "" {
		line += "  " + note
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
	for i := range c.Reasons {
		for _, text := range reason(&c.Reasons[i], p.Mode, s) {
			fmt.Fprintln(w, strings.TrimRight("               "+text, " "))
		}
	}
}

// noteOf says whether the change runs, and how long that may take.
func noteOf(c *plan.Change, s Style) string {
	var note string
	switch {
	case c.Action == plan.Recheck:
		return "checks only"
	case c.Action == plan.Delete && c.Forget:
		return "record only, what is outside stays"
	case c.Action == plan.Delete:
		return ""
	case c.Action == plan.Import && c.Import.ID != "":
		return "takes in the artifact " + c.Import.ID.Short() + ", nothing runs"
	case c.Action == plan.Import:
		return "takes in " + c.Import.Path + ", nothing runs"
	case c.Action == plan.Move:
		return "record only"
	case c.Cached:
		note = "cached, nothing runs"
	case c.Certainty == plan.May:
		note = "may run"
	case c.Certainty == plan.Gated:
		note = "runs if the checks before it pass"
	default:
		note = "runs"
	}
	if len(c.Reasons) == 1 && c.Reasons[0].Code == plan.New {
		note += " (new)"
	}
	if c.Estimate != nil && s.worth(c.Estimate.SecondsP50) {
		note += ", about " + seconds(c.Estimate.SecondsP50)
	}
	return note
}
