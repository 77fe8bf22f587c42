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
	for _, l := range causes(c, at) {
		fmt.Fprintf(w, "\nbecause of %s:\n", s.paint(bold, l.change.Address.String()))
		lines := leafReasons(l.change, p.Mode, s)
		for _, line := range lines {
			fmt.Fprintf(w, "  %s\n", line)
		}
		if len(l.path) > 1 {
			fmt.Fprintf(w, "  %s %s\n", s.paint(dim, "by way of"), spell(l.path))
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

// leaf is a change at the end of a chain, and the way to it.
type leaf struct {
	change *plan.Change
	path   []addr.Addr // from the node that was asked for
}

// causes walks pending inputs to the changes that have reasons of their own, nearest first; each once, by its shortest
// way.
func causes(from *plan.Change, at map[addr.Addr]*plan.Change) []leaf {
	seen := map[addr.Addr]bool{from.Address: true}
	queue := []leaf{{from, []addr.Addr{from.Address}}}
	var leaves []leaf
	for len(queue) > 0 {
		l := queue[0]
		queue = queue[1:]
		if own(l.change) {
			leaves = append(leaves, l)
		}
		for _, r := range l.change.Reasons {
			next := at[r.Address]
			if r.Code != plan.InputPending || next == nil || seen[r.Address] {
				continue
			}
			seen[r.Address] = true
			queue = append(queue, leaf{next, append(l.path[:len(l.path):len(l.path)], r.Address)})
		}
	}
	return leaves
}

// own reports whether a change has a reason besides inputs that are pending and notes.
func own(c *plan.Change) bool {
	pending := false
	for _, r := range c.Reasons {
		switch r.Code {
		case plan.InputPending:
			pending = true
		case plan.PreviousFailure:
		case plan.New:
			return true
		default:
			return true
		}
	}
	return !pending
}

func leafReasons(c *plan.Change, mode plan.Mode, s Style) []string {
	var lines []string
	for i := range c.Reasons {
		r := &c.Reasons[i]
		switch r.Code {
		case plan.InputPending:
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
