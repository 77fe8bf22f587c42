package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/audit"
	"pipe/engine/digest"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// StaleError says why a plan does not fit any more. errors.Is(err, ErrStale).
type StaleError struct {
	Used  bool     // it was applied, or begun
	Reads []string // what it read and has changed since, a sentence each
	text  string
}

func (e *StaleError) Error() string { return ErrStale.Error() + ": " + e.text }

// Is makes errors.Is(err, ErrStale) hold.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

func used(format string, args ...any) error {
	return &StaleError{Used: true, text: fmt.Sprintf(format, args...)}
}

// fits refuses a plan that was used, that belongs to another state, or of which something that it read has changed. What
// the plan did not read may have changed in any way.
func (e *Engine) fits(ctx context.Context, p *plan.Plan, snap *state.Snapshot, store state.Store, o ApplyOptions) error {
	if p.State.Lineage != "" && snap.Lineage != p.State.Lineage {
		return &StaleError{text: fmt.Sprintf("it was made against another state (lineage %s, this one is %q); plan again", p.State.Lineage, snap.Lineage)}
	}
	if o.Lease != nil && snap.Serial == p.State.Serial {
		return nil // it was made under the lease that is held still
	}
	resumed, err := unused(ctx, p, snap, store, o)
	if err != nil || resumed {
		return err
	}
	changed := changedEntries(p, snap)
	if o.Saved {
		changed = append(changed, e.changedOutside(ctx, p)...)
	}
	if len(changed) == 0 {
		return nil
	}
	text := "what it read has changed since it was made: "
	for i, c := range changed {
		if i == maxNamed {
			text += fmt.Sprintf("; and %d more", len(changed)-i)
			break
		}
		if i > 0 {
			text += "; "
		}
		text += c
	}
	return &StaleError{Reads: changed, text: text + ". Plan again, or see what that means with plan --rebase"}
}

// Fits reports whether a saved plan could be applied now; a *StaleError says why not.
func (e *Engine) Fits(ctx context.Context, p *plan.Plan) error {
	store, err := e.StateStore(p.Settings, p.Pipeline)
	if err != nil {
		return err
	}
	snap, err := store.Read(ctx)
	if err != nil {
		return err
	}
	return e.fits(ctx, p, snap, store, ApplyOptions{Saved: true})
}

// maxNamed is how many changes an error names.
const maxNamed = 5

// unused refuses a plan that was begun before. A run of it that did not end can be resumed, as long as no other came after.
func unused(ctx context.Context, p *plan.Plan, snap *state.Snapshot, store state.Store, o ApplyOptions) (resumed bool, err error) {
	id := p.Digest()
	if last := snap.LastRun; last != nil && last.PlanDigest == id {
		switch {
		case last.Outcome == string(apply.Succeeded):
			return false, used("it was applied by run %s; a plan is used once, so plan again", last.ID)
		case o.Resume:
			return true, nil
		}
		return false, used("run %s began to apply it and ended as %q; add --resume to go on with it, or plan again", last.ID, last.Outcome)
	}
	run, err := firstRun(ctx, store, id)
	if err != nil {
		return false, err
	}
	if run != "" {
		return false, used("it was applied by run %s, and others came after; a plan is used once, so plan again", run)
	}
	return false, nil
}

// firstRun finds the run that the audit log has for a plan, "" if there is none.
func firstRun(ctx context.Context, store state.Store, plan digest.Digest) (string, error) {
	r, err := store.Audit(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.Contains(line, []byte(plan)) {
			var rec audit.Record
			if json.Unmarshal(line, &rec) == nil && rec.PlanDigest == plan && rec.Action == "apply.started" {
				return rec.Run, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("the audit log cannot be read: %w", err)
		}
	}
}

// changedEntries names the records that the plan was made from and that are others now: those of the nodes that it
// changes, and those of the inputs that it takes as they are.
func changedEntries(p *plan.Plan, snap *state.Snapshot) []string {
	planned := make(map[addr.Addr]bool, len(p.Changes))
	for i := range p.Changes {
		planned[p.Changes[i].Address] = true
	}
	var changed []string
	said := map[addr.Addr]bool{}
	for i := range p.Changes {
		c := &p.Changes[i]
		at := c.Address
		if !c.From.IsZero() {
			at = c.From
			if snap.Entries[c.Address] != nil {
				changed = append(changed, fmt.Sprintf("%s has a record now", c.Address))
			}
		}
		if was, now := c.Entry, snap.Entries[at].Digest(); was != now {
			changed = append(changed, recordChange(at, was, snap))
		}
		for _, in := range c.Inputs {
			if in.Digest == "" || planned[in.Address] || said[in.Address] {
				continue
			}
			if e := snap.Entries[in.Address]; e == nil || e.Artifact != in.Digest {
				said[in.Address] = true
				changed = append(changed, fmt.Sprintf("%s, an input of %s, %s", in.Address, c.Address, artifactChange(e)))
			}
		}
	}
	return changed
}

func recordChange(a addr.Addr, was digest.Digest, snap *state.Snapshot) string {
	e := snap.Entries[a]
	switch {
	case e == nil:
		return fmt.Sprintf("%s has no record any more", a)
	case was == "":
		return fmt.Sprintf("%s was made meanwhile by run %s", a, e.Run.ID)
	}
	return fmt.Sprintf("%s was changed by run %s", a, e.Run.ID)
}

func artifactChange(e *state.Entry) string {
	if e == nil {
		return "has no record any more"
	}
	return fmt.Sprintf("has another artifact, made by run %s", e.Run.ID)
}

// changedOutside names what was observed or pinned and is otherwise now. What can't be looked at is left to the run, which
// looks again and retries as the plan says.
func (e *Engine) changedOutside(ctx context.Context, p *plan.Plan) []string {
	var changed []string
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Observation == "" && c.Pinned == "" || c.Action != plan.Create && c.Action != plan.Update {
			continue
		}
		t, ok := e.Registry.Lookup(c.Kind, c.Type)
		if !ok || t.Revision() != c.Revision {
			continue
		}
		v, err := stage.DecodeConfig(t.Schema(), c.Config)
		if err != nil {
			continue
		}
		runner, err := t.Decode(v)
		if err != nil {
			continue
		}
		env := stage.Env{Log: e.Log.Named(c.Address.String()), Now: e.Now, Getenv: e.Getenv, WorkDir: e.WorkDir, Roots: e.roots(p.Settings),
			Run: stage.RunInfo{Pipeline: p.Pipeline, Environment: p.Environment, Node: c.Address}}
		if o, ok := runner.(stage.Observer); ok && c.Observation != "" {
			if now, err := o.Observe(ctx, env); err == nil && now != c.Observation {
				changed = append(changed, fmt.Sprintf("what %s reads is not what it was (observed %s, now %s)", c.Address, c.Observation.Short(), now.Short()))
			}
		}
		if o, ok := runner.(stage.Pinner); ok && c.Pinned != "" {
			if now, err := o.Pin(ctx, env); err == nil && now != c.Pinned {
				changed = append(changed, fmt.Sprintf("%s would replace %s and not %s, which it was reviewed against", c.Address, now, c.Pinned))
			}
		}
	}
	return changed
}
