package view

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pipe/engine/digest"
	"pipe/engine/plan"
)

// group is changes that a reviewer reads as one: instances of one block with the same action for the same reasons, or a
// single change.
type group struct {
	changes []*plan.Change
	danger  danger
	blast   int           // the largest of theirs
	reasons []plan.Reason // of all of them; where they differ by instance only, what they have in common
}

// groups gathers changes into groups, in the order of their most dangerous members.
func groups(p *plan.Plan) []*group {
	blast := blastRadius(p)
	var list []*group
	by := map[string]*group{}
	for _, i := range byDanger(p, blast) {
		c := &p.Changes[i]
		key := likeness(c)
		g := by[key]
		if g == nil {
			g = &group{danger: dangerOf(c), reasons: c.Reasons}
			by[key] = g
			list = append(list, g)
		}
		g.changes = append(g.changes, c)
		g.blast = max(g.blast, blast[i])
	}
	for _, g := range list {
		g.settle()
	}
	return list
}

// likeness is equal for changes that belong into one group.
func likeness(c *plan.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v %q %s %s %v %v", c.Address.Block(), c.Address.Keyed, c.Type, c.Action, c.Certainty, c.Cached, c.Forget)
	for _, r := range c.Reasons {
		r = common(r, c)
		fmt.Fprintf(&b, "|%q %q %q %q %q %q %q", r.Code, r.Path, r.Input, r.Address, r.Before, r.After, r.Detail)
	}
	return b.String()
}

// eachKey stands for the instance's own key in what instances have in common.
const eachKey = "each.key"

// common takes out of a reason what differs from instance to instance: its own key and digests.
func common(r plan.Reason, c *plan.Change) plan.Reason {
	if !c.Address.Keyed {
		return r
	}
	if key, ok := keyLike(r.Address.Key, c.Address.Key); ok && r.Address.Keyed {
		r.Address.Key = key
	}
	if isDigest(r.Before) && isDigest(r.After) {
		r.Before, r.After = nil, nil
	} else if isDigest(r.Before) {
		r.Before = nil
	}
	return r
}

func isDigest(raw json.RawMessage) bool {
	if !isText(raw) {
		return false
	}
	_, err := digest.Parse(text(raw))
	return err == nil
}

// settle keeps the reasons as they are if they are word for word the same for all, and else what they have in common.
func (g *group) settle() {
	first := g.changes[0]
	for _, c := range g.changes[1:] {
		for i := range c.Reasons {
			a, b := first.Reasons[i], c.Reasons[i]
			if a.Address != b.Address || string(a.Before) != string(b.Before) || string(a.After) != string(b.After) {
				g.reasons = make([]plan.Reason, len(first.Reasons))
				for k, r := range first.Reasons {
					g.reasons[k] = common(r, first)
				}
				return
			}
		}
	}
}

// keys lists at most the first n instances of the group as they stand in addresses: "a", "b".
func (g *group) keys(n int) string {
	list := make([]string, min(n, len(g.changes)))
	for i := range list {
		list[i] = strconv.Quote(g.changes[i].Address.Key)
	}
	return strings.Join(list, ", ")
}

// address spells the one address of the group, or the block with all keys in brackets.
func (g *group) address() string {
	first := g.changes[0].Address
	if len(g.changes) == 1 {
		return first.String()
	}
	return first.Block().String() + "[" + g.keys(len(g.changes)) + "]"
}

// why renders the reasons of the group, each as one line or, for long text, as a line and a difference.
func (g *group) why(mode plan.Mode) [][]string {
	var list [][]string
	for i := range g.reasons {
		r := &g.reasons[i]
		if len(g.changes) > 1 && r.Before == nil && r.After == nil {
			switch r.Code {
			case plan.InputChanged:
				list = append(list, []string{strings.TrimSuffix(inputChanged(r), ": (none) -> (none)") + ": another content"})
				continue
			case plan.Drifted:
				list = append(list, []string{r.Path + " was changed or removed since it was put there"})
				continue
			case plan.ArtifactMissing:
				list = append(list, []string{"the artifact is missing"})
				continue
			}
		}
		if lines := reason(r, mode, Style{}); len(lines) > 0 {
			for k, l := range lines {
				lines[k] = unquoteKeys(l)
			}
			list = append(list, lines)
		}
	}
	return list
}
