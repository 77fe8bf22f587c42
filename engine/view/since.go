package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"pipe/engine/digest"
	"pipe/engine/plan"
)

// Since is how a plan differs from an earlier one.
type Since struct {
	Old        digest.Digest
	Comparison *plan.Comparison
}

// note is a line of what differs, with lines below it. Address is "" for what concerns the whole plan.
type note struct {
	Word    string   `json:"word"` // added, gone or changed
	Address string   `json:"address,omitempty"`
	Text    string   `json:"text,omitempty"`
	Lines   []string `json:"lines,omitempty"`
}

// SincePlan writes what differs in meaning since an earlier plan.
func SincePlan(w io.Writer, since Since, s Style) {
	fmt.Fprintln(w, s.paint(bold, "Since the plan "+since.Old.Short()))
	notes := since.notes()
	if len(notes) == 0 {
		fmt.Fprint(w, "  nothing changed in meaning\n\n")
		return
	}
	colours := map[string]colour{"added": green, "gone": red, "changed": yellow}
	for _, n := range notes {
		line := "  " + s.paint(colours[n.Word], pad(n.Word, len("changed"))) + "  " + strings.TrimSpace(n.Address+"  "+n.Text)
		fmt.Fprintln(w, line)
		for _, l := range n.Lines {
			fmt.Fprintln(w, "             "+printable(l))
		}
	}
	fmt.Fprintln(w)
}

// counts says in words how much differs.
func (s Since) counts() string {
	c := s.Comparison
	if c.Empty() {
		return "Nothing changed in meaning."
	}
	var list []string
	for _, n := range []struct {
		count int
		word  string
	}{{len(c.Added), "added"}, {len(c.Removed), "gone"}, {len(c.Changed), "changed"}} {
		if n.count > 0 {
			list = append(list, Plural(int64(n.count), "change ", "changes ")+n.word)
		}
	}
	if len(c.Plan) > 0 {
		list = append(list, "the plan as a whole has "+Plural(int64(len(c.Plan)), "difference", "differences"))
	}
	return Sentence(strings.Join(list, ", "))
}

// notes lists all that differs, most dangerous first: what the whole plan is for, then deletes and publishes.
func (s Since) notes() []note {
	c := s.Comparison
	var list []note
	if len(c.Plan) > 0 {
		n := note{Word: "changed", Text: "the plan as a whole"}
		for i := range c.Plan {
			n.Lines = append(n.Lines, difference(&c.Plan[i])...)
		}
		list = append(list, n)
	}
	by := make([][]note, dangers)
	for _, a := range c.Added {
		d := dangerOf(a)
		by[d] = append(by[d], note{Word: "added", Address: a.Address.String(), Text: actionOf(a)})
	}
	for i := range c.Changed {
		ch := &c.Changed[i]
		n := note{Word: "changed", Address: ch.Address.String(), Text: actionOf(ch.New)}
		for k := range ch.Differences {
			n.Lines = append(n.Lines, difference(&ch.Differences[k])...)
		}
		d := min(dangerOf(ch.Old), dangerOf(ch.New))
		by[d] = append(by[d], n)
	}
	for _, r := range c.Removed {
		d := dangerOf(r)
		by[d] = append(by[d], note{Word: "gone", Address: r.Address.String(), Text: actionOf(r)})
	}
	for _, notes := range by {
		list = append(list, notes...)
	}
	return list
}

func actionOf(c *plan.Change) string {
	word := signOf(c.Action).word
	if about := noteOf(c, Style{Timing: Untimed}); about != "" {
		word += ", " + about
	}
	return word
}

// difference renders one thing that differs as a line.
func difference(d *plan.Difference) []string {
	switch d.Aspect {
	case "reasons":
		return append(reasonOf("no longer: ", d.Before), reasonOf("now: ", d.After)...)
	case "expectations":
		return expectationDiffers(d)
	case "inputs":
		return []string{fmt.Sprintf("input %s: %s -> %s", d.Path, inputOf(d.Before), inputOf(d.After))}
	case "variables", "outputs":
		return []string{fmt.Sprintf("%s %s: %s -> %s", strings.TrimSuffix(d.Aspect, "s"), d.Path, valueOf(d.Before), valueOf(d.After))}
	}
	name := d.Aspect
	if d.Path != "" {
		name += " " + d.Path
	}
	return []string{fmt.Sprintf("%s: %s -> %s", name, short(d.Before), short(d.After))}
}

func reasonOf(word string, raw json.RawMessage) []string {
	var r plan.Reason
	if len(raw) == 0 || json.Unmarshal(raw, &r) != nil {
		return nil
	}
	lines := reason(&r, plan.Normal, Style{})
	if len(lines) == 0 {
		lines = []string{string(r.Code)}
	}
	return []string{word + strings.Join(lines, "  ")}
}

func expectationDiffers(d *plan.Difference) []string {
	code := plan.ExpectationChanged
	switch {
	case d.Path == "":
		return []string{"the order of the expectations"}
	case len(d.Before) == 0:
		code = plan.ExpectationAdded
	case len(d.After) == 0:
		code = plan.ExpectationRemoved
	}
	return expectationChanged(&plan.Reason{Code: code, Path: d.Path, Before: d.Before, After: d.After})
}

func inputOf(raw json.RawMessage) string {
	var in plan.Input
	if len(raw) == 0 || json.Unmarshal(raw, &in) != nil {
		return "(none)"
	}
	if in.Digest == "" {
		return in.Address.String() + " (pending)"
	}
	return in.Address.String() + " " + in.Digest.Short()
}

// valueOf renders a variable. A sensitive one has no value in a plan.
func valueOf(raw json.RawMessage) string {
	var v plan.Variable
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return "(none)"
	}
	return variable(v)
}

func variable(v plan.Variable) string {
	if v.Sensitive {
		return "(sensitive)"
	}
	return short(v.Value)
}
