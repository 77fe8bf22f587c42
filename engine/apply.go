package engine

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"pipe/engine/apply"
	"pipe/engine/audit"
	"pipe/engine/digest"
	"pipe/engine/plan"
	"pipe/engine/state"
)

// ApplyOptions say how a plan is carried out.
type ApplyOptions struct {
	Sink           apply.Sink
	Parallelism    int // 0: as the plan says, else 4
	KeepGoing      bool
	Resume         bool // a plan that was begun and did not end may be applied again
	Saved          bool // the plan was read from a file: it is used up even if it changes nothing
	LockTimeout    time.Duration
	Actor          string // user@host
	SourceRevision string
	Lease          state.Lease   // held already; nil: taken here
	Approvals      []byte        // signatures over the plan; see package approval
	Grace          time.Duration // for running nodes after an interrupt; 0: 30 s
}

const (
	defaultParallelism = 4
	defaultGrace       = 30 * time.Second
)

// Apply carries out a plan. It needs no plan files. Cancelling ctx is the first interrupt.
func (e *Engine) Apply(ctx context.Context, p *plan.Plan, o ApplyOptions) (*apply.Result, error) {
	if p.Environment != e.Options.Environment {
		return nil, fmt.Errorf("the plan was made for the environment %q, this is %q: pass --env %s", p.Environment, e.Options.Environment, p.Environment)
	}
	lease := o.Lease
	if lease == nil {
		var err error
		if lease, err = e.Lock(ctx, p.Settings, p.Pipeline, o.Actor, "apply", o.LockTimeout); err != nil {
			return nil, err
		}
		defer lease.Release()
	}
	stateStore, err := e.StateStore(p.Settings, p.Pipeline)
	if err != nil {
		return nil, err
	}
	snap, err := stateStore.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.fits(ctx, p, snap, stateStore, o); err != nil {
		return nil, err
	}
	approved, err := e.approved(p, snap, o)
	if err != nil {
		return nil, err
	}
	x, err := e.executor(ctx, p, lease, stateStore)
	if err != nil {
		return nil, err
	}
	opts := e.executorOptions(p, o)
	if approved != nil {
		opts.Approvals = approved
	}
	if !p.HasChanges() && !o.Saved {
		warnings, err := x.Flush(ctx, p, opts)
		return &apply.Result{Plan: p.Digest(), Outcome: apply.Succeeded, Nodes: []apply.NodeResult{}, Warnings: warnings}, err
	}
	return x.Apply(ctx, p, snap, opts)
}

func (e *Engine) executor(ctx context.Context, p *plan.Plan, lease state.Lease, stateStore state.Store) (*apply.Executor, error) {
	store, err := e.ArtifactStore(p.Settings)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(ctx, auditReader(ctx, stateStore))
	if err != nil {
		return nil, err
	}
	own := filepath.Join(p.Pipeline, p.Environment)
	return &apply.Executor{Registry: e.Registry, Evaluator: e.Evaluator, Artifacts: store, Lease: lease,
		Auditor: &auditor{log: log, lease: lease, engine: e, plan: p}, Now: e.Now, Getenv: e.Getenv, Log: e.Log, Faults: e.faults,
		WorkDir: e.WorkDir, Roots: e.roots(p.Settings),
		Scratch: filepath.Join(e.abs(p.Settings.Store.Path), "scratch", own),
		Aside:   filepath.Join(e.WorkDir, ".pipe", "rejected", own)}, nil
}

func (e *Engine) executorOptions(p *plan.Plan, o ApplyOptions) apply.Options {
	opts := apply.Options{Sink: o.Sink, Parallelism: o.Parallelism, KeepGoing: o.KeepGoing, Actor: o.Actor,
		SourceRevision: o.SourceRevision, Grace: o.Grace}
	if opts.Parallelism == 0 {
		opts.Parallelism = p.Settings.Parallelism
	}
	if opts.Parallelism == 0 {
		opts.Parallelism = defaultParallelism
	}
	if opts.Grace == 0 {
		opts.Grace = defaultGrace
	}
	return opts
}

// auditor writes the records of a run.
type auditor struct {
	log    *audit.Log
	lease  state.Lease
	engine *Engine
	plan   *plan.Plan
}

// Record implements apply.Auditor.
func (a *auditor) Record(ctx context.Context, action, outcome string, run state.Run, details any) (digest.Digest, error) {
	rec := audit.Record{At: a.engine.Now().UTC(), Actor: run.Actor, Action: action, Outcome: outcome, Pipeline: a.plan.Pipeline,
		Environment: a.plan.Environment, Run: run.ID, PlanDigest: run.PlanDigest, SourceRevision: run.SourceRevision}
	if details != nil {
		b, err := digest.Canonical(details)
		if err != nil {
			return "", err
		}
		rec.Details = b
	}
	return a.log.Append(ctx, a.lease, rec)
}

func auditReader(ctx context.Context, s state.Store) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return s.Audit(ctx) }
}
