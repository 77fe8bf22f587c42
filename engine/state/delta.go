package state

import (
	"context"
	"errors"

	"pipe/engine/addr"
)

// ErrWhole says that a store wants the whole snapshot now; nothing was written.
var ErrWhole = errors.New("the whole snapshot is to be written")

// Delta is what changed of a snapshot's entries and failures.
type Delta struct {
	Entries  map[addr.Addr]*Entry   // nil: the entry is gone
	Failures map[addr.Addr]*Failure // nil: the failure is gone
}

// Apply changes s as the delta says.
func (d *Delta) Apply(s *Snapshot) {
	for a, e := range d.Entries {
		if e == nil {
			delete(s.Entries, a)
		} else {
			s.Entries[a] = e
		}
	}
	for a, f := range d.Failures {
		if f == nil {
			delete(s.Failures, a)
		} else {
			s.Failures[a] = f
		}
	}
}

// Amender is a Lease that can write what changed of a snapshot alone, in a time that does not grow with the snapshot.
type Amender interface {
	// Amend is Write for a caller that knows what changed since the last write of this lease: d. Of s, only what is not an
	// entry or a failure is read, and its serial is raised by one. What is written is as durable as after Write.
	// ErrWhole if the store wants a Write instead, now and then.
	Amend(ctx context.Context, s *Snapshot, d *Delta) error
}
