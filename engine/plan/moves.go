package plan

import (
	"bytes"
	"sort"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/diag"
	"pipe/engine/state"
)

// findMoves applies the moved blocks, and then pairs nodes without an entry with entries without a node: the same kind, type and configuration is a node
// that was renamed. Because fingerprints are free of names, nothing has to run for that.
func (b *builder) findMoves() {
	var orphans []*state.Entry
	for a, e := range b.Snapshot.Entries {
		if _, has := b.Graph.Index(a); !has {
			orphans = append(orphans, e)
		}
	}
	if len(orphans) == 0 {
		return
	}
	sort.Slice(orphans, func(i, j int) bool { return orphans[i].Address.Compare(orphans[j].Address) < 0 })
	orphans = b.declaredMoves(orphans)
	used := make([]bool, len(orphans))
	for i := range b.Graph.Len() {
		n := b.Graph.Node(i)
		if _, moved := b.moved[n.Addr]; moved || b.Snapshot.Entries[n.Addr] != nil {
			continue
		}
		best := -1
		for j, e := range orphans {
			if used[j] || !sameWork(n, e) {
				continue
			}
			if best < 0 || (e.Address.Keyed && e.Address.Key == n.Addr.Key && orphans[best].Address.Key != n.Addr.Key) {
				best = j
			}
		}
		if best >= 0 {
			used[best] = true
			b.moved[n.Addr] = orphans[best].Address
		}
	}
}

func sameWork(n *config.Node, e *state.Entry) bool {
	return e.Address.Kind == n.Addr.Kind && e.Type == n.Type.Name() && bytes.Equal(e.Fingerprint.Config, n.Config)
}

// deletes removes entries without a node (all of them when destroying), those first on which nothing else rests.
func (b *builder) deletes() ([]Change, hcl.Diagnostics) {
	if b.Mode == RefreshOnly {
		return nil, nil
	}
	gone := b.leaving()
	below := map[addr.Addr][]addr.Addr{}
	for a, e := range gone {
		for _, in := range e.Inputs {
			below[in.Address] = append(below[in.Address], a)
		}
		for _, d := range e.DependsOn {
			below[d] = append(below[d], a)
		}
	}
	for _, list := range below {
		sortAddrs(list)
	}
	var diags hcl.Diagnostics
	var changes []Change
	for _, a := range deleteOrder(gone, below) {
		e := gone[a]
		removal, said := b.Pipeline.Removed(a)
		forget := said && !removal.Destroy
		if b.protected(e) && !forget {
			diags = append(diags, b.protectedDiagnostic(a))
			continue
		}
		changes = append(changes, Change{Address: a, Kind: a.Kind, Type: e.Type, Action: Delete, Certainty: Must,
			Reasons: []Reason{{Code: Removed}}, After: below[a], Config: e.Config, Revision: e.Fingerprint.Revision, Artifact: e.Artifact, Entry: e.Digest(), Forget: forget})
	}
	return changes, diags
}

// protected reports whether an entry may not be deleted: its block says so now, or said so last if it is gone.
func (b *builder) protected(e *state.Entry) bool {
	if i, has := b.Graph.Index(e.Address); has {
		return b.Graph.Node(i).Options.PreventDestroy
	}
	return e.Protected
}

func (b *builder) protectedDiagnostic(a addr.Addr) *hcl.Diagnostic {
	what := "its block was taken out of the plan files"
	if b.Mode == Destroy {
		what = "the plan destroys everything"
	}
	return diag.Error("plan.prevent_destroy", nil, "Protected node would be deleted",
		"%s was applied with prevent_destroy = true, and %s. Keep the block, or apply it once with prevent_destroy = false first.", a, what)
}

// leaving returns the entries that have no node and were not moved, within the targets.
func (b *builder) leaving() map[addr.Addr]*state.Entry {
	taken := map[addr.Addr]bool{}
	for _, from := range b.moved {
		taken[from] = true
	}
	gone := map[addr.Addr]*state.Entry{}
	for a, e := range b.Snapshot.Entries {
		_, has := b.Graph.Index(a)
		if (b.Mode == Destroy || !has) && !taken[a] {
			gone[a] = e
		}
	}
	if len(b.Targets) == 0 {
		return gone
	}
	return b.restrict(gone)
}

// restrict keeps what the targets name; destroying a target takes along what rests on it.
func (b *builder) restrict(gone map[addr.Addr]*state.Entry) map[addr.Addr]*state.Entry {
	kept := map[addr.Addr]*state.Entry{}
	for a, e := range gone {
		for _, t := range b.Targets {
			if t.Covers(a) {
				kept[a] = e
			}
		}
	}
	for grown := b.Mode == Destroy; grown; {
		grown = false
		for a, e := range gone {
			if kept[a] == nil && restsOn(e, kept) {
				kept[a], grown = e, true
			}
		}
	}
	return kept
}

func restsOn(e *state.Entry, on map[addr.Addr]*state.Entry) bool {
	for _, in := range e.Inputs {
		if on[in.Address] != nil {
			return true
		}
	}
	for _, d := range e.DependsOn {
		if on[d] != nil {
			return true
		}
	}
	return false
}

// deleteOrder is the reverse of a topological order: consumers before what they consume, ties by address.
func deleteOrder(gone map[addr.Addr]*state.Entry, below map[addr.Addr][]addr.Addr) []addr.Addr {
	all := make([]addr.Addr, 0, len(gone))
	for a := range gone {
		all = append(all, a)
	}
	sortAddrs(all)
	done := map[addr.Addr]bool{}
	var order []addr.Addr
	var visit func(a addr.Addr)
	visit = func(a addr.Addr) {
		if done[a] {
			return
		}
		done[a] = true
		for _, d := range below[a] {
			visit(d)
		}
		order = append(order, a)
	}
	for i := len(all) - 1; i >= 0; i-- {
		visit(all[i])
	}
	return order
}
