package filestate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/engine/state"
)

var (
	_ state.Lease  = (*lease)(nil)
	_ state.Forcer = (*lease)(nil)
)

// lease is the exclusive right to write, held as a flock.
type lease struct {
	*Store
	holder state.Holder
	lock   *os.File // of the lease
	writes *os.File // of each write

	mu       sync.Mutex // around every write, and what follows
	released bool
	wrote    bool     // a snapshot
	seen     stored   // the state file as it was read or written last
	audit    *log     // nil until it is needed
	journal  *journal // likewise
	commits  *log     // likewise
	outbox   *outbox

	encoding sync.Mutex
	encoder  encoder

	busy busy // effects that somebody acts on
}

// Acquire implements state.Store.
func (s *Store) Acquire(ctx context.Context, holder state.Holder, wait time.Duration) (state.Lease, error) {
	if err := mkdir(s.dir); err != nil {
		return nil, s.explain(err)
	}
	var f *os.File
	err := poll(ctx, wait, func() (err error) {
		f, err = s.lockNow()
		return err
	})
	if errors.Is(err, syscall.EWOULDBLOCK) {
		locked := &state.LockedError{}
		if h, err := s.Holder(ctx); err == nil && h != nil {
			locked.Holder = *h
		}
		return nil, locked
	}
	if err != nil {
		return nil, s.explain(err)
	}
	l := &lease{Store: s, holder: complete(holder, s.now()), lock: f}
	if err := l.begin(ctx); err != nil {
		l.free()
		return nil, s.explain(err)
	}
	return l, nil
}

// begin writes down who holds the lease and clears what a killed process left.
func (l *lease) begin(ctx context.Context) error {
	if err := writeHolder(l.lock, l.holder); err != nil {
		return err
	}
	w, err := l.lockWrites(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	l.writes = w
	unlock(w)
	return l.guard(ctx, func() error {
		left, err := filepath.Glob(filepath.Join(globQuote(l.dir), "*"+tmpSuffix))
		if err != nil {
			return err
		}
		more, err := filepath.Glob(filepath.Join(globQuote(l.dir), historyDir, "*"+tmpSuffix))
		if err != nil {
			return err
		}
		for _, path := range append(left, more...) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		return l.openAudit()
	})
}

// guard calls fn while nobody else can write, after making sure that the lease is still held. Everything that a lease
// writes is written in a guard.
func (l *lease) guard(ctx context.Context, fn func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return fmt.Errorf("%w: it was given back before", state.ErrLost)
	}
	if err := poll(ctx, math.MaxInt64, func() error { return flock(l.writes, syscall.LOCK_EX) }); err != nil {
		return err
	}
	defer unlock(l.writes)
	if !named(l.lock, l.file(lockFile)) {
		return fmt.Errorf("%w: somebody took the lock %s away, or moved the directory %s; nothing was written", state.ErrLost, l.holder.ID, l.dir)
	}
	return fn()
}

// AppendAudit implements state.Lease.
func (l *lease) AppendAudit(ctx context.Context, line []byte) error {
	return l.explain(l.guard(ctx, func() error {
		if l.audit == nil {
			if err := l.openAudit(); err != nil {
				return err
			}
		}
		return l.audit.append(line)
	}))
}

// openAudit opens the audit log, cutting off what a crash left after the last whole line.
func (l *lease) openAudit() error {
	if l.audit != nil {
		return nil
	}
	a, err := openLog(l.file(auditFile))
	if err == nil {
		l.audit = a
	}
	return err
}

// Journal implements state.Lease.
func (l *lease) Journal(node addr.Addr) stage.Journal { return nodeJournal{lease: l, node: node} }

// Outbox implements state.Lease.
func (l *lease) Outbox() state.Outbox { return leaseOutbox{l} }

// Release implements state.Lease.
func (l *lease) Release() error {
	var err error
	gerr := l.guard(context.Background(), func() error {
		if err = l.fold(context.Background()); err == nil {
			err = l.keepLast()
		}
		return clearHolder(l.lock)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	l.free()
	if errors.Is(gerr, state.ErrLost) {
		gerr = nil // there is nothing to give back
	}
	return l.explain(errors.Join(err, gerr))
}

// free closes the files of the lease, which frees its lock.
func (l *lease) free() {
	unlock(l.lock)
	l.lock.Close()
	if l.writes != nil {
		l.writes.Close()
	}
	for _, a := range []*log{l.audit, l.commits, l.journal.file(), l.outbox.file()} {
		if a != nil {
			a.f.Close()
		}
	}
}

// stamp returns the time for a record.
func (l *lease) stamp() time.Time { return l.now().UTC() }
