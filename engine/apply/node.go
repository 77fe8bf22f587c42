package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// lookup returns the artifact that a change of this run left at an address.
type lookup func(addr.Addr) (digest.Digest, bool)

// rejection is the error of a node whose expectations failed.
type rejection struct {
	results []check.Result
	kept    digest.Digest
	at      string
}

func (e *rejection) Error() string {
	failed := check.Failed(e.results)
	if len(failed) == 1 {
		return "an expectation failed: " + failed[0].Message
	}
	return fmt.Sprintf("%d expectations failed, the first: %s", len(failed), failed[0].Message)
}

// node carries out one change and returns its result and the artifact that nodes below read.
func (r *run) node(stop, work context.Context, c *plan.Change, s *slot, known lookup) (NodeResult, digest.Digest) {
	begin := time.Now()
	ev := Event{Type: NodeStarted, Address: c.Address, Action: string(c.Action)}
	if c.Estimate != nil {
		ev.Estimate = c.Estimate.SecondsP50
	}
	r.events.emit(ev)
	n := &nodeRun{run: r, change: c, slot: s, inputs: c.Fingerprint(), entry: r.store.entry(c.Address)}
	if !c.From.IsZero() && n.entry == nil {
		n.entry = r.store.entry(c.From)
	}
	err := n.do(stop, work, known)
	res := NodeResult{Address: c.Address, Outcome: n.outcome, Seconds: time.Since(begin).Seconds(), Results: n.results}
	if n.artifact != nil {
		res.Rows, res.Bytes, res.Artifact = n.artifact.Rows, n.artifact.Bytes(), n.artifact.Digest()
	}
	if err != nil {
		r.fail(work, n, err, &res)
	}
	done := Event{Type: NodeFinished, Address: c.Address, Action: string(c.Action), Outcome: res.Outcome, Seconds: res.Seconds,
		Rows: res.Rows, Bytes: res.Bytes, Artifact: res.Artifact, Error: res.Error, Results: res.Results}
	if n.artifact != nil {
		done.Facts, done.Metrics = n.artifact.Facts, n.artifact.Metrics
	}
	r.events.emit(done)
	return res, res.Artifact
}

// fail records why a node did not succeed. What was there before stays.
func (r *run) fail(ctx context.Context, n *nodeRun, err error, res *NodeResult) {
	res.Outcome, res.Error = Failed, err.Error()
	res.Stale = errors.Is(err, stage.ErrStale) || errors.Is(err, stage.ErrChanged)
	f := &state.Failure{Address: n.change.Address, Fingerprint: n.inputs.Digest(), Error: err.Error(), Run: r.provenance()}
	var rej *rejection
	if errors.As(err, &rej) {
		res.Outcome, res.Results, res.Artifact, res.KeptAt = Rejected, rej.results, rej.kept, rej.at
		f.Artifact, f.Results = rej.kept, rej.results
	}
	if errors.Is(err, errStopped) {
		res.Outcome = Skipped
		return
	}
	_ = r.store.update(ctx, func(d draft) { d.setFailure(n.change.Address, f) }) // a failed write ends the run
}

func (r *run) provenance() state.Provenance {
	return state.Provenance{ID: r.record.ID, PlanDigest: r.digest, At: r.Now().UTC(), By: r.Actor, SourceRevision: r.SourceRevision}
}

// nodeRun is one change in progress.
type nodeRun struct {
	*run
	change   *plan.Change
	slot     *slot
	inputs   state.Fingerprint // with the digests of this run
	entry    *state.Entry      // the present entry, nil for a new node
	artifact *artifact.Artifact
	results  []check.Result
	outcome  Outcome
	seconds  float64 // of the runner alone
	scratch  string  // where the node may make a directory of its own
}

func (n *nodeRun) do(stop, work context.Context, known lookup) error {
	if !n.change.From.IsZero() {
		if err := n.Lease.MoveJournal(work, n.change.From, n.change.Address); err != nil {
			return err
		}
	}
	switch n.change.Action {
	case plan.Delete:
		return n.delete(work)
	case plan.Move:
		return n.move(work)
	}
	if err := n.resolve(known); err != nil {
		return err
	}
	n.scratch = filepath.Join(n.Scratch, digest.Bytes([]byte(n.change.Address.String())).Hex()[:16])
	defer n.clear()
	if err := n.produce(stop, work); err != nil {
		return err
	}
	if n.change.Kind != addr.Publish {
		if len(n.change.Expectations) > 0 {
			n.slot.enter()
		}
		if err := n.audit(work); err != nil {
			return err
		}
	}
	return n.commit(work)
}

// clear removes the node's own directory, which few nodes have.
func (n *nodeRun) clear() {
	if _, err := os.Lstat(n.scratch); err == nil {
		_ = removeDir(n.scratch)
	}
}

// resolve fills in the digests of the inputs.
func (n *nodeRun) resolve(known lookup) error {
	for i, in := range n.change.Inputs {
		d := in.Digest
		if now, ok := known(in.Address); ok {
			d = now
		}
		if d == "" {
			return fmt.Errorf("input %q: %s has no artifact: plan again", in.Label, in.Address)
		}
		n.inputs.Inputs[i].Digest = d
	}
	return nil
}

// produce gets the artifact: from the entry if nothing went in that is new, from the cache, or from a run.
func (n *nodeRun) produce(stop, work context.Context) error {
	if n.change.Action == plan.Import {
		return n.adopt(work)
	}
	fingerprint := n.inputs.Digest()
	requested := hasReason(n.change, plan.Requested) || n.repairs()
	if n.entry != nil && !requested && n.entry.Fingerprint.Digest() == fingerprint {
		if a, err := n.Artifacts.Get(work, n.entry.Artifact); err == nil {
			n.artifact, n.outcome = a, Unchanged
			if n.change.Action == plan.Recheck {
				n.outcome = Rechecked
			} else if n.change.Cached {
				n.outcome = Restored
			}
			if n.change.Kind == addr.Publish && n.change.Action == plan.Recheck {
				return n.gate(work)
			}
			return nil
		} else if !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
	}
	if n.change.Kind != addr.Publish && !requested {
		a, err := n.Artifacts.Lookup(work, fingerprint)
		if err == nil {
			n.artifact, n.outcome = a, Restored
			return nil
		}
		if !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
	}
	if n.change.Kind == addr.Publish {
		if err := n.gate(work); err != nil {
			return err
		}
		if err := n.reachable(stop, work); err != nil {
			return err
		}
	}
	n.outcome = Ran
	return n.attempts(stop, work)
}

// repairs reports whether the change makes good what was published and is no longer as it was left.
func (n *nodeRun) repairs() bool {
	return n.change.Kind == addr.Publish && hasReason(n.change, plan.Drifted)
}

func hasReason(c *plan.Change, code plan.Code) bool {
	for _, r := range c.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// gate checks a publish before it runs, on the metrics of its inputs.
func (n *nodeRun) gate(ctx context.Context) error {
	if len(n.change.Expectations) == 0 {
		return nil
	}
	subject := check.Subject{Metrics: map[string]float64{}}
	for _, in := range n.inputs.Inputs {
		a, err := n.Artifacts.Get(ctx, in.Digest)
		if err != nil {
			return fmt.Errorf("input %q: %w", in.Label, err)
		}
		for name, v := range a.Metrics {
			subject.Metrics[name] = v
		}
	}
	return n.evaluate(ctx, subject, "")
}

// audit checks the artifact of an input or stage, unless this very artifact passed these very expectations before.
func (n *nodeRun) audit(ctx context.Context) error {
	defer n.Faults.Hit(fault.AfterCheck)
	if len(n.change.Expectations) == 0 {
		return nil
	}
	id := n.artifact.Digest()
	if e := n.entry; e != nil && e.Artifact == id && e.Checks.Digest == check.Digest(n.change.Expectations) {
		n.results = e.Checks.Results
		return nil
	}
	subject := check.Subject{Metrics: n.artifact.Metrics}
	if n.artifact.Main != "" {
		f, ok := n.artifact.File(n.artifact.Main)
		if !ok {
			return fmt.Errorf("the artifact has no file %s", n.artifact.Main)
		}
		subject.Table = filepath.Join(n.scratch, "check", filepath.FromSlash(f.Path))
		if err := n.Artifacts.Materialize(ctx, f, subject.Table); err != nil {
			return err
		}
	}
	return n.evaluate(ctx, subject, id)
}

// evaluate fills in the results; a failure that blocks is a *rejection.
func (n *nodeRun) evaluate(ctx context.Context, subject check.Subject, id digest.Digest) error {
	results, err := n.Evaluator.Evaluate(ctx, subject, n.change.Expectations)
	if err != nil {
		return fmt.Errorf("check the expectations: %w", err)
	}
	n.results = results
	n.events.emit(Event{Type: NodeChecked, Address: n.change.Address, Results: results})
	if len(check.Failed(results)) == 0 {
		return nil
	}
	rej := &rejection{results: results, kept: id}
	if id != "" {
		if rej.at, err = n.keepAside(ctx); err != nil {
			return err
		}
	}
	return rej
}

// keepAside lays the rejected artifact out where people can look at it.
func (n *nodeRun) keepAside(ctx context.Context) (string, error) {
	dir := asideDir(n.Aside, n.change.Address)
	if err := resetDir(dir); err != nil {
		return "", err
	}
	for _, f := range n.artifact.Files {
		if err := n.Artifacts.Materialize(ctx, f, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return "", err
		}
	}
	at := dir
	if n.artifact.Main != "" {
		at = filepath.Join(dir, filepath.FromSlash(n.artifact.Main))
	}
	return n.shown(at), nil
}

// env is all of the world that the node's runner may touch.
func (n *nodeRun) env(scratch string) stage.Env {
	env := stage.Env{Log: n.Log.Named(n.change.Address.String()), Now: n.Now, Getenv: n.Getenv, WorkDir: n.WorkDir,
		Roots: n.Roots, Scratch: scratch, Observed: n.change.Observation, Pinned: n.change.Pinned, Repair: n.repairs(),
		Run: stage.RunInfo{ID: n.record.ID, PlanDigest: n.digest, Pipeline: n.plan.Pipeline, Environment: n.plan.Environment,
			Actor: n.Actor, SourceRevision: n.SourceRevision, Node: n.change.Address, Fingerprint: n.inputs.Digest()}}
	if n.change.Kind == addr.Publish {
		env.Journal = n.Lease.Journal(n.change.Address)
	}
	return env
}

// runner decodes the change's configuration with the registry alone, so that a plan needs no plan files.
func (x *Executor) runner(kind addr.Kind, typ string, revision int, config []byte) (stage.Runner, error) {
	t, ok := x.Registry.Lookup(kind, typ)
	if !ok {
		return nil, fmt.Errorf("this version of pipe has no %s type %q", kind, typ)
	}
	if revision != 0 && t.Revision() != revision {
		return nil, fmt.Errorf("the plan was made with revision %d of %s type %q, this version of pipe has %d: plan again",
			revision, kind, typ, t.Revision())
	}
	v, err := stage.DecodeConfig(t.Schema(), config)
	if err != nil {
		return nil, err
	}
	return t.Decode(v)
}

func resetDir(dir string) error {
	if err := removeDir(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}

// removeDir removes a tree whose directories may have been made read-only.
func removeDir(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
