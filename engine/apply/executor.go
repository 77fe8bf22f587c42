package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// Executor carries out plans. All fields are needed but Log and Faults.
type Executor struct {
	Registry  *stage.Registry
	Evaluator check.Evaluator
	Artifacts artifact.Store
	Lease     state.Lease
	Auditor   Auditor
	Now       func() time.Time
	Getenv    func(string) (string, bool)
	Log       hclog.Logger
	Faults    *fault.Set
	WorkDir   string   // absolute
	Roots     []string // absolute; see stage.Env
	Scratch   string   // absolute; emptied at the start of a run, on the store's file system if possible
	Aside     string   // absolute; where rejected artifacts are kept for people to look at
}

// Auditor appends records to the audit log and returns its new head.
type Auditor interface {
	Record(ctx context.Context, action, outcome string, run state.Run, details any) (digest.Digest, error)
}

// Options say how one plan is carried out.
type Options struct {
	Sink           Sink
	Parallelism    int // at least 1
	KeepGoing      bool
	Actor          string
	SourceRevision string
	Approvals      any           // who approved the plan, for the audit log; nil: nobody had to
	Grace          time.Duration // how long running nodes may go on after an interrupt
}

// errStopped is the cause of skips after an interrupt.
var errStopped = errors.New("the run was interrupted")

// run is one apply in progress.
type run struct {
	*Executor
	Options
	plan    *plan.Plan
	digest  digest.Digest
	record  state.Run
	store   *committer
	events  *emitter
	started time.Time
	serial  int64 // of the state when the run began
	ahead   preflight
	rooms   rooms
}

// Apply carries out p against snap, which the caller read under the lease and found to hold what p read.
// Cancelling ctx is the first interrupt: no new node starts, running ones get the grace period. The error is for what
// concerns the run as a whole; failures of nodes are in the Result.
func (x *Executor) Apply(ctx context.Context, p *plan.Plan, snap *state.Snapshot, o Options) (*Result, error) {
	r := &run{Executor: x, Options: o, plan: p, digest: p.Digest(), started: time.Now(), serial: snap.Serial,
		store: newCommitter(x.Lease, snap)}
	if r.Log == nil {
		r.Log = hclog.NewNullLogger()
	}
	r.record = state.Run{ID: r.id(snap), PlanDigest: r.digest, Started: x.Now().UTC(), Outcome: "running",
		Actor: o.Actor, SourceRevision: o.SourceRevision}
	r.events = &emitter{sink: o.Sink, now: x.Now, run: r.record.ID}
	work := context.WithoutCancel(ctx) // what is under way is finished, whatever ctx says
	if err := r.begin(work, snap); err != nil {
		return nil, err
	}
	results, err := r.schedule(ctx, work)
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, work, results)
}

// id is the clock and the plan: unique in one state, whose serial grows with every run.
func (r *run) id(snap *state.Snapshot) string {
	seed := digest.JSON([]any{r.digest, snap.Lineage, snap.Serial})
	return r.Now().UTC().Format("20060102T150405Z") + "-" + seed.Hex()[:8]
}

// begin sweeps what a killed run left, and records that this one has begun.
func (r *run) begin(ctx context.Context, snap *state.Snapshot) error {
	if err := resetDir(r.Scratch); err != nil {
		return fmt.Errorf("prepare the scratch directory: %w", err)
	}
	if last := snap.LastRun; last != nil && last.Outcome == "running" {
		head, err := r.Auditor.Record(ctx, "apply.crashed", "the process ended before the run did", *last, nil)
		if err != nil {
			return err
		}
		snap.AuditHead = head
	}
	head, err := r.Auditor.Record(ctx, "apply.started", "running", r.record, r.opening())
	if err != nil {
		return err
	}
	err = r.store.update(ctx, func(s draft) {
		last := r.record
		s.LastRun, s.AuditHead, s.Approval = &last, head, r.policy()
	})
	if err != nil {
		return err
	}
	r.Faults.Hit(fault.RunStarted)
	r.events.emit(Event{Type: RunStarted, Plan: r.digest})
	return nil
}

// opening is what the audit log says of a run that begins.
func (r *run) opening() map[string]any {
	details := map[string]any{"changes": len(r.plan.Changes)}
	if r.Approvals != nil {
		details["approvals"] = r.Approvals
	}
	return details
}

// policy is what the next plan's approvals are held against besides its own policy.
func (r *run) policy() json.RawMessage {
	if r.plan.Settings.Approval == nil {
		return nil
	}
	b, err := digest.Canonical(r.plan.Settings.Approval)
	if err != nil {
		panic(err) // only plain data is in it
	}
	return b
}

// finish delivers messages, records the end and makes the Result.
func (r *run) finish(stop, ctx context.Context, results []NodeResult) (*Result, error) {
	res := &Result{Run: r.record.ID, Plan: r.digest, Outcome: outcomeOf(stop, results), Nodes: results}
	if err := r.queueRunMessages(ctx, res); err != nil {
		return nil, err
	}
	warnings, err := r.deliver(ctx)
	if err != nil {
		return nil, err
	}
	res.Warnings = append(res.Warnings, warnings...)
	res.Warnings = append(res.Warnings, r.store.warnings...)
	r.Faults.Hit(fault.RunFinished)
	head, err := r.Auditor.Record(ctx, "apply.finished", string(res.Outcome), r.record, auditDetails(results))
	if err != nil {
		return nil, err
	}
	end := r.Now().UTC()
	r.record.Outcome, r.record.Finished = string(res.Outcome), &end
	err = r.store.conclude(ctx, func(s draft) {
		last := r.record
		s.LastRun, s.AuditHead = &last, head
		r.forget(s)
	})
	if err != nil {
		return nil, err
	}
	_ = removeDir(r.Scratch) // swept at the next run otherwise
	res.Seconds = time.Since(r.started).Seconds()
	r.events.emit(Event{Type: RunFinished, Plan: r.digest, Outcome: res.Outcome, Seconds: res.Seconds})
	return res, nil
}

// forget drops the failures of nodes that a whole plan leaves as they are: what failed then was undone. A plan that was
// made before another run knows nothing of the failures of that.
func (r *run) forget(s draft) {
	if r.plan.Mode != plan.Normal || len(r.plan.Targets) > 0 || r.plan.State.Serial != r.serial {
		return
	}
	changed := map[addr.Addr]bool{}
	for i := range r.plan.Changes {
		changed[r.plan.Changes[i].Address] = true
	}
	for a := range s.Failures {
		if !changed[a] {
			s.dropFailure(a)
		}
	}
}

func outcomeOf(stop context.Context, results []NodeResult) Outcome {
	res := Result{Nodes: results}
	switch {
	case stop.Err() != nil:
		return Interrupted
	case res.Count(Failed, Rejected) > 0:
		return Failed
	default:
		return Succeeded
	}
}

// auditDetails lists what became of every change.
func auditDetails(results []NodeResult) any {
	type node struct {
		Address  addr.Addr     `json:"address"`
		Outcome  Outcome       `json:"outcome"`
		Artifact digest.Digest `json:"artifact,omitempty"`
		Error    string        `json:"error,omitempty"`
	}
	nodes := make([]node, len(results))
	for i, n := range results {
		nodes[i] = node{n.Address, n.Outcome, n.Artifact, n.Error}
	}
	return map[string]any{"nodes": nodes}
}
