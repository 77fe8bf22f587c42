package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pipe/engine/addr"
	"pipe/engine/audit"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/state"
	"pipe/engine/state/filestate"
)

// EditOptions say on whose behalf recorded state is changed by hand.
type EditOptions struct {
	Actor          string // user@host
	SourceRevision string
	LockTimeout    time.Duration
}

// Edit is a change of recorded state outside of a run.
type Edit struct {
	Action  string // as the audit log calls it: state.mv, state.rm
	Details any    // for the audit log
	// Change changes the snapshot. It runs under the lease, and may use it for what lies beside the snapshot.
	Change func(ctx context.Context, lease state.Lease, s *state.Snapshot) error
}

// EditState changes recorded state under the lease, at the next serial, with a record in the audit log.
func (e *Engine) EditState(ctx context.Context, s config.Settings, pipeline string, o EditOptions, edit Edit) (*state.Snapshot, error) {
	lease, err := e.Lock(ctx, s, pipeline, o.Actor, edit.Action, o.LockTimeout)
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	store, err := e.StateStore(s, pipeline)
	if err != nil {
		return nil, err
	}
	snap, err := store.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := edit.Change(ctx, lease, snap); err != nil {
		return nil, err
	}
	if snap.AuditHead, err = e.recordEdit(ctx, store, lease, pipeline, o, edit); err != nil {
		return nil, err
	}
	return snap, lease.Write(ctx, snap)
}

// recordEdit appends the audit record of an edit, before what it tells of is written.
func (e *Engine) recordEdit(ctx context.Context, store state.Store, lease state.Lease, pipeline string, o EditOptions, edit Edit) (digest.Digest, error) {
	log, err := audit.Open(ctx, auditReader(ctx, store))
	if err != nil {
		return "", err
	}
	details, err := digest.Canonical(edit.Details)
	if err != nil {
		return "", err
	}
	return log.Append(ctx, lease, audit.Record{At: e.Now().UTC(), Actor: o.Actor, Action: edit.Action, Outcome: "done",
		Pipeline: pipeline, Environment: e.Options.Environment, SourceRevision: o.SourceRevision, Details: details})
}

// MoveEntry gives the entry at one address to another.
func MoveEntry(from, to addr.Addr) Edit {
	return Edit{Action: "state.mv", Details: map[string]any{"from": from, "to": to},
		Change: func(ctx context.Context, lease state.Lease, s *state.Snapshot) error {
			entry := s.Entries[from]
			switch {
			case from.Kind != to.Kind:
				return fmt.Errorf("%s cannot become %s: an entry keeps its kind", from, to)
			case entry == nil:
				return noEntry(from)
			case s.Entries[to] != nil:
				return fmt.Errorf("there is an entry at %s already: remove it first with state rm", to)
			}
			if err := lease.MoveJournal(ctx, from, to); err != nil {
				return err
			}
			moved := *entry
			moved.Address = to
			delete(s.Entries, from)
			s.Entries[to] = &moved
			if f := s.Failures[from]; f != nil {
				failure := *f
				failure.Address = to
				delete(s.Failures, from)
				s.Failures[to] = &failure
			}
			redirect(s, from, to)
			return nil
		}}
}

// redirect lets entries that came from one address point at another.
func redirect(s *state.Snapshot, from, to addr.Addr) {
	for _, e := range s.Entries {
		for i := range e.Inputs {
			if e.Inputs[i].Address == from {
				e.Inputs[i].Address = to
			}
		}
		for i := range e.DependsOn {
			if e.DependsOn[i] == from {
				e.DependsOn[i] = to
			}
		}
	}
}

// RemoveEntries forgets entries. What their nodes left outside stays where it is.
func RemoveEntries(list []addr.Addr) Edit {
	return Edit{Action: "state.rm", Details: map[string]any{"addresses": list},
		Change: func(_ context.Context, _ state.Lease, s *state.Snapshot) error {
			for _, a := range list {
				if s.Entries[a] == nil && s.Failures[a] == nil {
					return noEntry(a)
				}
				delete(s.Entries, a)
				delete(s.Failures, a)
			}
			return nil
		}}
}

func noEntry(a addr.Addr) error {
	return fmt.Errorf("there is no entry for %s: state list shows what there is", a)
}

// PushMode says what PushState accepts.
type PushMode int

// PushSafe accepts a later serial of the same lineage, and anything whole in the place of a damaged state. PushForce
// accepts every snapshot of the pipeline and environment, also one that was edited by hand.
const (
	PushSafe PushMode = iota
	PushForce
)

// PushState replaces the recorded state by the content of a state file. It is how a damaged state is restored.
func (e *Engine) PushState(ctx context.Context, s config.Settings, pipeline string, raw []byte, mode PushMode, o EditOptions) (*state.Snapshot, error) {
	next, err := decodeState(raw, mode)
	if err != nil {
		return nil, err
	}
	lease, err := e.Lock(ctx, s, pipeline, o.Actor, "state.push", o.LockTimeout)
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	store, err := e.StateStore(s, pipeline)
	if err != nil {
		return nil, err
	}
	now, err := store.Read(ctx)
	damaged := errors.Is(err, state.ErrDamaged)
	if err != nil && !damaged {
		return nil, err
	}
	if mode == PushSafe && !damaged {
		if err := newer(next, now); err != nil {
			return nil, err
		}
	}
	forcer, ok := lease.(state.Forcer)
	if !ok {
		return nil, errors.New("this kind of state cannot be replaced")
	}
	edit := Edit{Action: "state.push", Details: map[string]any{"lineage": next.Lineage, "serial": next.Serial, "content": digest.Bytes(raw)}}
	if next.AuditHead, err = e.recordEdit(ctx, store, lease, pipeline, o, edit); err != nil {
		return nil, err
	}
	return next, forcer.Force(ctx, next)
}

// newer refuses a snapshot that would lose what was recorded since.
func newer(next, now *state.Snapshot) error {
	switch {
	case now.Lineage == "":
		return nil
	case next.Lineage != now.Lineage:
		return fmt.Errorf("the file is of another lineage (%s) than what is stored (%s): it belongs to another state; --force replaces it all the same", next.Lineage, now.Lineage)
	case next.Serial < now.Serial:
		return fmt.Errorf("the file has serial %d, and serial %d is stored: what was recorded since would be forgotten; --force replaces it all the same", next.Serial, now.Serial)
	}
	return nil
}

// decodeState reads a state file, when forced also one without a valid checksum.
func decodeState(raw []byte, mode PushMode) (*state.Snapshot, error) {
	s, err := filestate.Decode(raw)
	if err == nil || mode == PushSafe {
		if err != nil {
			err = fmt.Errorf("the file is no whole state: %w; --force accepts one that was edited by hand", err)
		}
		return s, err
	}
	var edited struct {
		Checksum string `json:"checksum"`
		state.Snapshot
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&edited); err != nil {
		return nil, fmt.Errorf("the file is no state: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	whole, err := filestate.Encode(&edited.Snapshot) // the checks of a state that is read
	if err != nil {
		return nil, err
	}
	if s, err = filestate.Decode(whole); err != nil {
		return nil, fmt.Errorf("the file is no state: %w", err)
	}
	return s, nil
}

// EncodeState returns the content of a state file, as PushState reads it.
func EncodeState(s *state.Snapshot) ([]byte, error) { return filestate.Encode(s) }

// BrokenLock records that somebody's lock was taken away. It changes nothing else.
func BrokenLock(id string) Edit {
	return Edit{Action: "state.unlock", Details: map[string]any{"lock": id},
		Change: func(context.Context, state.Lease, *state.Snapshot) error { return nil }}
}
