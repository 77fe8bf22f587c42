package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/artifact/filestore"
	"pipe/engine/audit"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/state"
	"pipe/engine/state/filestate"
)

// StateName names one state of a state directory.
type StateName struct{ Pipeline, Environment string }

// States lists all states in the state directory of s, of every pipeline and environment, sorted.
func (e *Engine) States(s config.Settings) ([]StateName, error) {
	root := e.abs(s.State.Path)
	pipelines, err := directories(root)
	if err != nil {
		return nil, err
	}
	var list []StateName
	for _, p := range pipelines {
		environments, err := directories(filepath.Join(root, p))
		if err != nil {
			return nil, err
		}
		for _, env := range environments {
			list = append(list, StateName{p, env})
		}
	}
	return list, nil
}

func directories(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the states cannot be listed: %w", err)
	}
	var names []string
	for _, d := range entries {
		if d.IsDir() {
			names = append(names, d.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// SweepOptions say how the store is cleaned up.
type SweepOptions struct {
	Actor       string
	LockTimeout time.Duration
	Grace       time.Duration // artifacts that were used less long ago stay, for stores that other state directories share
	// Approve is shown what would be removed, while every state is locked, and says whether to go on. Nil: only report.
	Approve func(artifact.SweepReport) (bool, error)
}

// SweepStore removes what no state refers to: no entry, no rejected artifact, no earlier snapshot that can be restored. It
// looks at the states of all pipelines and environments in the state directory, and stops if one can't be read.
func (e *Engine) SweepStore(ctx context.Context, s config.Settings, o SweepOptions) (artifact.SweepReport, error) {
	store, err := filestore.Open(e.abs(s.Store.Path), filestore.WithGrace(o.Grace, time.Now))
	if err != nil {
		return artifact.SweepReport{}, err
	}
	names, err := e.States(s)
	if err != nil {
		return artifact.SweepReport{}, err
	}
	if o.Approve != nil {
		release, err := e.lockAll(ctx, s, names, o)
		if err != nil {
			return artifact.SweepReport{}, err
		}
		defer release()
	}
	live, err := e.live(ctx, s, names)
	if err != nil {
		return artifact.SweepReport{}, err
	}
	report, err := store.Sweep(ctx, live, artifact.Preview)
	if err != nil || o.Approve == nil {
		return report, err
	}
	if ok, err := o.Approve(report); err != nil || !ok {
		return report, err
	}
	return store.Sweep(ctx, live, artifact.Remove)
}

// lockAll takes the leases of all states, in one order, so that no run stores anything meanwhile.
func (e *Engine) lockAll(ctx context.Context, s config.Settings, names []StateName, o SweepOptions) (release func(), err error) {
	var leases []state.Lease
	release = func() {
		for _, l := range leases {
			_ = l.Release() // nothing was written
		}
	}
	for _, n := range names {
		st, err := e.stateOf(s, n)
		if err != nil {
			release()
			return nil, err
		}
		lease, err := st.Acquire(ctx, holder(o.Actor, "store gc", e.Now()), o.LockTimeout)
		if err != nil {
			release()
			return nil, fmt.Errorf("take the lock on the state of %s in %s: %w", n.Pipeline, n.Environment, err)
		}
		leases = append(leases, lease)
	}
	return release, nil
}

func (e *Engine) stateOf(s config.Settings, n StateName) (*filestate.Store, error) {
	return filestate.Open(e.abs(s.State.Path), n.Pipeline, n.Environment, filestate.WithClock(e.Now), filestate.WithFaults(e.faults))
}

// live collects what the states refer to, and what their history does.
func (e *Engine) live(ctx context.Context, s config.Settings, names []StateName) (map[digest.Digest]struct{}, error) {
	live := map[digest.Digest]struct{}{}
	for _, n := range names {
		st, err := e.stateOf(s, n)
		if err != nil {
			return nil, err
		}
		snap, err := st.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("nothing is removed while the state of %s in %s cannot be read: %w", n.Pipeline, n.Environment, err)
		}
		refer(snap, live)
		saved, err := st.History(ctx)
		if err != nil {
			return nil, err
		}
		for _, h := range saved {
			raw, err := os.ReadFile(h.Path)
			if err != nil {
				return nil, err
			}
			if old, err := filestate.Decode(raw); err == nil { // a damaged one can't be restored anyway
				refer(old, live)
			}
		}
	}
	return live, nil
}

func refer(s *state.Snapshot, live map[digest.Digest]struct{}) {
	for _, entry := range s.Entries {
		live[entry.Artifact] = struct{}{}
	}
	for _, f := range s.Failures {
		if f.Artifact != "" {
			live[f.Artifact] = struct{}{}
		}
	}
}

// VerifyAudit proves that the audit log of a pipeline is whole and is the one that the state knows.
func (e *Engine) VerifyAudit(ctx context.Context, s config.Settings, pipeline string) (audit.Report, error) {
	store, err := e.StateStore(s, pipeline)
	if err != nil {
		return audit.Report{}, err
	}
	snap, err := store.Read(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	r, err := store.Audit(ctx) // after the state: what is recorded meanwhile only makes it longer
	if err != nil {
		return audit.Report{}, err
	}
	defer r.Close()
	return audit.Verify(r, snap.AuditHead)
}

// AuditRecords reads the audit log of a pipeline, oldest record first.
func (e *Engine) AuditRecords(ctx context.Context, s config.Settings, pipeline string) ([]audit.Record, error) {
	store, err := e.StateStore(s, pipeline)
	if err != nil {
		return nil, err
	}
	r, err := store.Audit(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var list []audit.Record
	for rec, err := range audit.Records(r) {
		if err != nil {
			return list, err
		}
		list = append(list, rec)
	}
	return list, nil
}
