package apply

import (
	"context"
	"maps"
	"slices"
	"sync"

	"pipe/engine/addr"
	"pipe/engine/state"
)

// committer writes the snapshot. Updates that come while a write is under way share the next one (group commit), so
// that many small nodes do not wait for one fsync each.
type committer struct {
	lease    state.Lease
	mu       sync.Mutex
	cond     *sync.Cond
	snap     *state.Snapshot
	wanted   int64 // generation of snap
	written  int64 // generation that is durable
	writing  bool
	err      error // the first failed write ends the run: nothing may be committed after it
	warnings []string
	owners   map[string]addr.Addr // of materialised files, made when first needed; may be out of date for entries that went
}

func newCommitter(lease state.Lease, snap *state.Snapshot) *committer {
	c := &committer{lease: lease, snap: snap}
	c.cond = sync.NewCond(&c.mu)
	if snap.Entries == nil {
		snap.Entries = map[addr.Addr]*state.Entry{}
	}
	if snap.Failures == nil {
		snap.Failures = map[addr.Addr]*state.Failure{}
	}
	return c
}

// update applies fn to the snapshot and returns when the result is durable.
func (c *committer) update(ctx context.Context, fn func(*state.Snapshot)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(c.snap)
	c.wanted++
	mine := c.wanted
	for c.written < mine && c.err == nil {
		if c.writing {
			c.cond.Wait()
			continue
		}
		c.write(ctx)
	}
	return c.err
}

// write makes the present generation durable. The lock is given up meanwhile.
func (c *committer) write(ctx context.Context) {
	c.writing = true
	target := c.wanted
	next := *c.snap
	next.Entries, next.Failures = maps.Clone(c.snap.Entries), maps.Clone(c.snap.Failures)
	c.mu.Unlock()
	err := c.lease.Write(ctx, &next)
	c.mu.Lock()
	c.writing = false
	if err != nil {
		c.err = err
	} else {
		c.written = target
		c.snap.Serial, c.snap.Lineage = next.Serial, next.Lineage
	}
	c.cond.Broadcast()
}

// entry returns the present entry of an address. Entries are replaced, never changed.
func (c *committer) entry(a addr.Addr) *state.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.snap.Entries[a]
}

// owner returns the entry, other than those of the given addresses, whose files include the path.
func (c *committer) owner(path string, not ...addr.Addr) (addr.Addr, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = map[string]addr.Addr{}
		for a, e := range c.snap.Entries {
			for _, m := range e.Materialized {
				c.owners[m.Path] = a
			}
		}
	}
	a, ok := c.owners[path]
	if e := c.snap.Entries[a]; !ok || e == nil || slices.Contains(not, a) || !holds(e, path) {
		return addr.Addr{}, false
	}
	return a, true
}

func holds(e *state.Entry, path string) bool {
	return slices.ContainsFunc(e.Materialized, func(m state.Materialized) bool { return m.Path == path })
}

// own records that the entry at a has files at these paths.
func (c *committer) own(a addr.Addr, files []state.Materialized) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range files {
		if c.owners != nil {
			c.owners[m.Path] = a
		}
	}
}

// others returns all entries but those of the given addresses.
func (c *committer) others(not ...addr.Addr) []*state.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*state.Entry, 0, len(c.snap.Entries))
next:
	for a, e := range c.snap.Entries {
		for _, n := range not {
			if a == n {
				continue next
			}
		}
		list = append(list, e)
	}
	return list
}

// warn adds a line for people at the end of the run.
func (c *committer) warn(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = append(c.warnings, line)
}

// failure returns the error of a write that failed.
func (c *committer) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
