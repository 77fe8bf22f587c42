package apply

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"pipe/engine/addr"
	"pipe/engine/state"
)

// committer writes the snapshot. Updates that come while a write is under way share the next one (group commit), so
// that many small nodes do not wait for one fsync each. Where the lease can, only what changed is written.
type committer struct {
	lease    state.Lease
	mu       sync.Mutex
	cond     *sync.Cond
	snap     *state.Snapshot
	delta    state.Delta // what the generations after the one that was written last change
	whole    bool        // the next write is to be of the whole snapshot
	wanted   int64       // generation of snap
	written  int64       // generation that is durable
	writing  bool
	err      error // the first failed write ends the run: nothing may be committed after it
	warnings []string
	owners   map[string]addr.Addr // of materialised files, made when first needed; may be out of date for entries that went
}

func newCommitter(lease state.Lease, snap *state.Snapshot) *committer {
	c := &committer{lease: lease, snap: snap, delta: newDelta()}
	c.cond = sync.NewCond(&c.mu)
	if snap.Entries == nil {
		snap.Entries = map[addr.Addr]*state.Entry{}
	}
	if snap.Failures == nil {
		snap.Failures = map[addr.Addr]*state.Failure{}
	}
	return c
}

// draft is an update of the snapshot in the making. Entries and failures are changed by its methods alone.
type draft struct {
	*state.Snapshot
	delta *state.Delta
}

func (d draft) setEntry(a addr.Addr, e *state.Entry) {
	d.Entries[a], d.delta.Entries[a] = e, e
}

func (d draft) setFailure(a addr.Addr, f *state.Failure) {
	d.Failures[a], d.delta.Failures[a] = f, f
}

func (d draft) dropEntry(a addr.Addr) {
	if _, has := d.Entries[a]; has {
		delete(d.Entries, a)
		d.delta.Entries[a] = nil
	}
}

func (d draft) dropFailure(a addr.Addr) {
	if _, has := d.Failures[a]; has {
		delete(d.Failures, a)
		d.delta.Failures[a] = nil
	}
}

// conclude is update for the end of a run: it leaves a whole snapshot, which is quick to read.
func (c *committer) conclude(ctx context.Context, fn func(draft)) error {
	return c.update(ctx, func(d draft) {
		fn(d)
		c.whole = true
	})
}

// update applies fn to the snapshot and returns when the result is durable.
func (c *committer) update(ctx context.Context, fn func(draft)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(draft{c.snap, &c.delta})
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
	target, err := c.amend(ctx)
	if errors.Is(err, state.ErrWhole) {
		target, err = c.writeWhole(ctx)
	}
	c.writing = false
	if err != nil {
		c.err = err
	} else {
		c.written = target
	}
	c.cond.Broadcast()
}

// amend writes what changed. It returns the generation that it wrote.
func (c *committer) amend(ctx context.Context) (int64, error) {
	to, can := c.lease.(state.Amender)
	if !can || c.whole {
		return 0, state.ErrWhole
	}
	target, next, delta := c.wanted, *c.snap, c.delta
	next.Entries, next.Failures = nil, nil // not read, and changed by others meanwhile
	c.delta = newDelta()
	c.mu.Unlock()
	err := to.Amend(ctx, &next, &delta)
	c.mu.Lock()
	c.snap.Serial = next.Serial
	return target, err
}

// writeWhole writes all of the snapshot.
func (c *committer) writeWhole(ctx context.Context) (int64, error) {
	target, next := c.wanted, *c.snap
	next.Entries, next.Failures = maps.Clone(c.snap.Entries), maps.Clone(c.snap.Failures)
	c.delta, c.whole = newDelta(), false
	c.mu.Unlock()
	err := c.lease.Write(ctx, &next)
	c.mu.Lock()
	c.snap.Serial, c.snap.Lineage = next.Serial, next.Lineage
	return target, err
}

func newDelta() state.Delta {
	return state.Delta{Entries: map[addr.Addr]*state.Entry{}, Failures: map[addr.Addr]*state.Failure{}}
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
