package state

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"pipe/engine/addr"
	"pipe/engine/stage"
)

// Store keeps the snapshots, the journal of effects and the audit log of one pipeline in one environment.
type Store interface {
	// Read returns the present snapshot without a lock: the empty one if nothing was written yet. A damaged state is an
	// error that says how to restore the last good serial.
	Read(ctx context.Context) (*Snapshot, error)
	// Acquire takes the exclusive lease, waiting up to wait for it. While somebody else holds it the error is a
	// *LockedError.
	Acquire(ctx context.Context, holder Holder, wait time.Duration) (Lease, error)
	// Holder returns who holds the lease, nil if nobody.
	Holder(ctx context.Context) (*Holder, error)
	// Audit opens the audit log for reading, oldest record first.
	Audit(ctx context.Context) (io.ReadCloser, error)
	// BreakLock removes the lease of a holder that is gone; id must be the holder's.
	BreakLock(ctx context.Context, id string) error
	// History lists the serials of earlier snapshots that are still kept, oldest first, with a name to restore them by.
	History(ctx context.Context) ([]Saved, error)
}

// Forcer is a Lease that can write over a state that is damaged, or of another lineage.
type Forcer interface {
	// Force replaces whatever is stored by s, with a serial above every serial that is known to have been written, so that
	// no plan made before fits any more. The lineage of s stays.
	Force(ctx context.Context, s *Snapshot) error
}

// Saved is an earlier snapshot.
type Saved struct {
	Serial int64
	Path   string
}

// Lease is the exclusive right to write.
type Lease interface {
	// Write replaces the snapshot durably, raising its serial by one (and giving a lineage at the first write).
	// ErrLost if the lease is no longer held, ErrStale if the stored serial is not s.Serial. An entry that was written is
	// not to be changed afterwards but replaced by another: the store may remember its encoding.
	Write(ctx context.Context, s *Snapshot) error
	// AppendAudit appends one line to the audit log durably.
	AppendAudit(ctx context.Context, line []byte) error
	// Journal returns the journal of one node's effects.
	Journal(node addr.Addr) stage.Journal
	// MoveJournal gives the effects of one node to another, for a node that was renamed. It is safe to repeat.
	MoveJournal(ctx context.Context, from, to addr.Addr) error
	// Outbox returns the queue of messages to notifiers.
	Outbox() Outbox
	// Release gives the lease back. It is safe to call twice.
	Release() error
}

// Outbox is a durable queue of messages. A message is put before the event that it tells of is committed, and leaves
// when it was delivered or given up.
type Outbox interface {
	// Put adds a message under its key; a key that was ever put before is ignored.
	Put(ctx context.Context, key string, message json.RawMessage) error
	// Pending lists what was put and not settled, oldest first.
	Pending(ctx context.Context) ([]Pending, error)
	// Settle takes the messages out of the queue, all or none, and records the outcome ("delivered", or why they were
	// given up).
	Settle(ctx context.Context, keys []string, outcome string) error
}

// Pending is a message in the outbox.
type Pending struct {
	Key     string
	Message json.RawMessage
}

// Holder says who holds a lease.
type Holder struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // user
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Operation string    `json:"operation"` // apply, state rm, …
	Since     time.Time `json:"since"`
}

// LockedError says who holds the lease; errors.Is(err, ErrLocked).
type LockedError struct{ Holder Holder }

func (e *LockedError) Error() string {
	h := e.Holder
	if h.ID == "" {
		return "the state is locked by another process"
	}
	return "the state is locked by " + h.String()
}

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }
