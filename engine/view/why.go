package view

import (
	"fmt"
	"io"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/plan"
	"pipe/engine/state"
)

// Why writes the smallest cause of what a plan does to a node: the reasons of its own, and for inputs that are pending
// the nodes at the end of the chain with theirs.
func Why(w io.Writer, p *plan.Plan, a addr.Addr, snap *state.Snapshot, s Style) {
	at := map[addr.Addr]*plan.Change{}
	for i := range p.Changes {
		at[p.Changes[i].Address] = &p.Changes[i]
	}
	c := at[a]
	if c == nil {
		unchanged(w, a, snap, s)
		return
	}
	sg := signOf(c.Action)
	fmt.Fprintf(w, "%s %s: %s", s.paint(sg.colour, sg.mark), s.paint(bold, a.String()), sg.word)
	if note := noteOf(c, s); note != "" {
		fmt.Fprintf(w, ", %s", note)
	}
	fmt.Fprintln(w)
	for _, cause := range plan.Causes(p, snap, a) {
		fmt.Fprintf(w, "\nbecause of %s:\n", s.paint(bold, cause.Address.String()))
		for _, line := range leafReasons(cause.Reasons, p.Mode, s) {
			fmt.Fprintf(w, "  %s\n", line)
		}
		if len(cause.Path) > 1 {
			fmt.Fprintf(w, "  %s %s\n", s.paint(dim, "by way of"), spell(cause.Path))
		}
	}
}

// unchanged says why nothing happens to a node.
func unchanged(w io.Writer, a addr.Addr, snap *state.Snapshot, s Style) {
	e := snap.Entries[a]
	fmt.Fprintf(w, "  %s: nothing happens\n", s.paint(bold, a.String()))
	if e == nil {
		fmt.Fprintf(w, "\nIt has no entry, and the plan does not create one.\n")
		return
	}
	fmt.Fprintf(w, "\nIts type, configuration, inputs, expectations and files are as recorded:\n")
	provenance(w, e.Run, s)
}

func leafReasons(reasons []plan.Reason, mode plan.Mode, s Style) []string {
	var lines []string
	for i := range reasons {
		r := &reasons[i]
		switch r.Code {
		case plan.InputPending:
			lines = append(lines, r.Detail)
		case plan.New:
			lines = append(lines, "it is new")
		case plan.Removed:
			if mode == plan.Destroy {
				lines = append(lines, "everything is to be destroyed")
				continue
			}
			lines = append(lines, reason(r, mode, s)...)
		default:
			lines = append(lines, reason(r, mode, s)...)
		}
	}
	return lines
}

func spell(path []addr.Addr) string {
	names := make([]string, len(path))
	for i, a := range path {
		names[i] = a.String()
	}
	return strings.Join(names, " <- ")
}
