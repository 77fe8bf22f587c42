package plan

import (
	"fmt"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/state"
)

// Cause is a node with changes of its own that make another node change: reverting all reasons of all causes of a node takes
// it out of the plan, and reverting fewer does not (unless the cache happens to know that they make no difference).
type Cause struct {
	Address addr.Addr   `json:"address"`
	Reasons []Reason    `json:"reasons"`
	Path    []addr.Addr `json:"path"` // from the node that was asked for to this one
}

// Causes returns the smallest set of changes of attributes, files, expectations and upstream artifacts for which p changes the
// node a, nearest first; none if p does not change it. snap is what p was made against. The walk follows the inputs that
// the nodes had, because those are what reverting leads back to.
func Causes(p *Plan, snap *state.Snapshot, a addr.Addr) []Cause {
	t := tracer{snap: snap, changes: make(map[addr.Addr]*Change, len(p.Changes)), now: map[addr.Addr]addr.Addr{}}
	for i := range p.Changes {
		c := &p.Changes[i]
		t.changes[c.Address] = c
		if !c.From.IsZero() {
			t.now[c.From] = c.Address
		}
	}
	first := t.changes[a]
	if first == nil {
		return nil
	}
	type step struct {
		change *Change
		path   []addr.Addr
	}
	seen := map[addr.Addr]bool{a: true}
	var causes []Cause
	for queue := []step{{first, []addr.Addr{a}}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		entry := t.entry(at.change)
		reasons := t.own(at.change, entry, at.change == first)
		if len(reasons) > 0 {
			causes = append(causes, Cause{Address: at.change.Address, Reasons: reasons, Path: at.path})
		}
		if entry == nil {
			continue
		}
		for _, in := range entry.Inputs {
			up := t.changes[t.current(in.Address)]
			if up == nil || seen[up.Address] || !differs(up, recorded(entry, in.Label)) {
				continue
			}
			seen[up.Address] = true
			queue = append(queue, step{up, append(at.path[:len(at.path):len(at.path)], up.Address)})
		}
	}
	return causes
}

type tracer struct {
	snap    *state.Snapshot
	changes map[addr.Addr]*Change
	now     map[addr.Addr]addr.Addr // where a node went that was renamed
}

func (t tracer) current(a addr.Addr) addr.Addr {
	if to, moved := t.now[a]; moved {
		return to
	}
	return a
}

func (t tracer) entry(c *Change) *state.Entry {
	if !c.From.IsZero() {
		return t.snap.Entries[c.From]
	}
	return t.snap.Entries[c.Address]
}

// own returns the reasons of a change that do not come from other changes. Of a node that was not asked for, only those
// count that change its data.
func (t tracer) own(c *Change, e *state.Entry, asked bool) []Reason {
	var list []Reason
	for _, r := range c.Reasons {
		switch r.Code {
		case PreviousFailure:
			continue
		case InputPending, InputChanged:
			if r.Input == "" { // observed
				break
			}
			was, had := source(e, r.Input)
			switch {
			case !had:
				continue // the configuration says so too
			case t.current(was) != r.Address:
				r.Detail = fmt.Sprintf("it reads %s now, and read %s", r.Address, was)
			case t.changes[r.Address] != nil:
				continue // the cause lies there
			}
		case Drifted, Moved, ExpectationAdded, ExpectationChanged, ExpectationRemoved:
			if !asked {
				continue
			}
		case ConfigChanged:
			if !asked && isOption(r) {
				continue
			}
		}
		list = append(list, r)
	}
	return list
}

// source returns which node an input of an entry came from.
func source(e *state.Entry, label string) (addr.Addr, bool) {
	if e != nil {
		for _, in := range e.Inputs {
			if in.Label == label {
				return in.Address, true
			}
		}
	}
	return addr.Addr{}, false
}

// recorded returns the artifact that an entry was made from.
func recorded(e *state.Entry, label string) digest.Digest {
	for _, in := range e.Fingerprint.Inputs {
		if in.Label == label {
			return in.Digest
		}
	}
	return ""
}

// differs reports whether a change may give another artifact than one that was read before.
func differs(c *Change, was digest.Digest) bool {
	if c.Action == Delete {
		return true
	}
	return c.Artifact != was // "" as long as it is not known
}
