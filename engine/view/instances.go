package view

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"pipe/engine/period"
	"pipe/engine/plan"
)

// longAddress is the widest column of addresses.
const longAddress = 40

// fewest is the smallest number of instances that stand in one line.
const fewest = 3

// alike gathers changes into groups in the order of the plan: instances of one block with the same action for the same
// reasons become one line, if there are enough of them.
func alike(p *plan.Plan) []*group {
	count := map[string]int{}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Address.Keyed {
			count[likeness(c)]++
		}
	}
	var list []*group
	by := map[string]*group{}
	for i := range p.Changes {
		c := &p.Changes[i]
		key := ""
		if c.Address.Keyed {
			key = likeness(c)
		}
		if g := by[key]; g != nil {
			g.changes = append(g.changes, c)
			continue
		}
		g := &group{changes: []*plan.Change{c}, reasons: c.Reasons}
		list = append(list, g)
		if count[key] >= fewest {
			by[key] = g
		}
	}
	for _, g := range list {
		g.settle()
	}
	return list
}

// instances writes a group: one line for all of it, and its reasons once.
func instances(w io.Writer, g *group, p *plan.Plan, l layout, s Style) {
	first := g.changes[0]
	if len(g.changes) == 1 {
		change(w, first, p, l, s)
		return
	}
	sg := signFor(first)
	note := groupNote(g, s)
	line := fmt.Sprintf("  %s %s  %s  %s  %s", s.paint(sg.colour, sg.mark), s.paint(sg.colour, pad(sg.word, len("recheck"))),
		pad(g.spell(), l.address), s.paint(dim, pad(first.Type, l.typ)), note)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
	for _, lines := range g.why(p.Mode) {
		for _, text := range lines {
			fmt.Fprintln(w, strings.TrimRight("               "+text, " "))
		}
	}
}

// groupNote says how many instances there are, whether they run, and how long that may take in all.
func groupNote(g *group, s Style) string {
	total := 0.0
	for _, c := range g.changes {
		if c.Estimate != nil {
			total += c.Estimate.SecondsP50
		}
	}
	one := *g.changes[0]
	one.Estimate = nil
	note := noteOf(&one, s)
	if one.Action == plan.Import {
		note = "takes in what exists, nothing runs"
	}
	text := fmt.Sprintf("%s instances", Count(int64(len(g.changes))))
	if note != "" {
		text += ": " + note
	}
	if s.worth(total) {
		text += ", about " + seconds(total) + " in all"
	}
	return text
}

// spell writes the address of a group with its keys in few words: stage.bars[2024-01..2026-10 except 2024-03].
func (g *group) spell() string {
	first := g.changes[0].Address
	if len(g.changes) == 1 {
		return first.String()
	}
	keys := make([]string, len(g.changes))
	for i, c := range g.changes {
		keys[i] = printable(c.Address.Key)
	}
	return first.Block().String() + "[" + period.Keys(keys) + "]"
}

// groupColumns makes room for the addresses of groups; a long one moves the rest of its own line only.
func groupColumns(list []*group) layout {
	var l layout
	for _, g := range list {
		if n := utf8.RuneCountInString(g.spell()); n <= longAddress || len(g.changes) == 1 {
			l.address = max(l.address, min(n, longAddress))
		}
		l.typ = max(l.typ, utf8.RuneCountInString(g.changes[0].Type))
	}
	return layout{l.address, min(l.typ, 20)}
}

// keyLike spells another instance's key as seen from an instance: each.key where it is the same, each.key-1 where it is
// the period before. ok is false where it is neither.
func keyLike(other, own string) (string, bool) {
	if other == own {
		return eachKey, true
	}
	a, ok := period.Find(other)
	b, good := period.Find(own)
	if !ok || !good || !a.Like(b) {
		return "", false
	}
	n := a.Since(b.Period)
	if n > 0 {
		return eachKey + "+" + strconv.Itoa(n), true
	}
	return eachKey + strconv.Itoa(n), true
}

// unquoteKeys takes the quotes off what keyLike spelled.
func unquoteKeys(line string) string {
	if !strings.Contains(line, eachKey) {
		return line
	}
	return regexp.MustCompile(`"(each\.key(?:[+-]\d+)?)"`).ReplaceAllString(line, "$1")
}
