package plan

import (
	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/state"
)

// Imported is what becomes the result of a stage without a run: the content at Path, which has Digest, or the artifact ID.
type Imported struct {
	Path   string        `json:"path,omitempty"`
	Digest digest.Digest `json:"digest,omitempty"`
	ID     digest.Digest `json:"id,omitempty"`
}

// declaredMoves applies the moved blocks to entries without a node and returns those that are still without one, less
// those that a removed block is about: they are no renamed nodes. Where a chain of moves leads two entries to one place,
// the later one in the chain is the node's.
func (b *builder) declaredMoves(orphans []*state.Entry) []*state.Entry {
	if len(b.Pipeline.Moves)+len(b.Pipeline.Removals) == 0 {
		return orphans
	}
	var rest []*state.Entry
	distance := map[addr.Addr]int{}
	for _, e := range orphans {
		if _, removed := b.Pipeline.Removed(e.Address); removed {
			continue
		}
		to, hops := b.Pipeline.Moved(e.Address)
		if hops == 0 {
			rest = append(rest, e)
			continue
		}
		if _, has := b.Graph.Index(to); !has || b.Snapshot.Entries[to] != nil {
			continue
		}
		if _, taken := b.moved[to]; !taken || hops < distance[to] {
			b.moved[to], distance[to] = e.Address, hops
		}
	}
	return rest
}

// imports reports whether an import block is about the change's node, of which nothing is recorded, and says in the change
// what it takes in.
func (b *builder) imports(c *Change) bool {
	for _, i := range b.Pipeline.Imports {
		if i.To == c.Address {
			c.Import = &Imported{Path: i.Path, ID: i.ID}
			if i.ID == "" {
				c.Import.Digest = b.Observed.Imports[c.Address]
			}
			c.Artifact = i.ID
			return true
		}
	}
	return false
}
