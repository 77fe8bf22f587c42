package engine

import (
	"context"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// PlanOptions say what a plan is made for.
type PlanOptions struct {
	Mode    plan.Mode // "" is plan.Normal
	Author  string    // who makes the plan
	Offline bool      // ask no publish target; the plan is to be looked at and not applied
	Targets []addr.Addr
	Replace []addr.Addr
}

// Plan proposes changes. It touches nothing.
func (e *Engine) Plan(ctx context.Context, l *Loaded, o PlanOptions) (*plan.Plan, hcl.Diagnostics) {
	if o.Mode == "" {
		o.Mode = plan.Normal
	}
	stateStore, err := e.StateStore(l.Pipeline.Settings, l.Pipeline.Name)
	if err != nil {
		return nil, fromError("engine.state", "State cannot be opened", err)
	}
	snap, err := stateStore.Read(ctx)
	if err != nil {
		return nil, fromError("engine.state", "State cannot be read", err)
	}
	store, err := e.ArtifactStore(l.Pipeline.Settings)
	if err != nil {
		return nil, fromError("engine.store", "Store cannot be opened", err)
	}
	observed, diags := e.observe(ctx, l, snap, store, o)
	if diags.HasErrors() {
		return nil, diags
	}
	p, more := plan.Build(plan.Request{Pipeline: l.Pipeline, Graph: l.Graph, Snapshot: snap, Observed: observed,
		Cache: storeCache{ctx, store}, PipeVersion: e.Version, Mode: o.Mode, Author: o.Author, Targets: o.Targets, Replace: o.Replace})
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return p, diags
}

// storeCache answers the planner from the store. It lives for one plan.
type storeCache struct {
	ctx   context.Context
	store ArtifactStore
}

// Known implements plan.Cache.
func (c storeCache) Known(fingerprint digest.Digest) (digest.Digest, bool) {
	a, err := c.store.Lookup(c.ctx, fingerprint)
	if err != nil {
		return "", false
	}
	return a.Digest(), true
}
