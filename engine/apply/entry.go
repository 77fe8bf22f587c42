package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/fault"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// commit puts the files in their places and makes the entry durable. It is the last thing that happens to a node.
func (n *nodeRun) commit(ctx context.Context) error {
	files, err := n.materialize(ctx)
	if err != nil {
		return err
	}
	n.Faults.Hit(fault.AfterMaterialize)
	e := n.newEntry(files)
	if n.change.Kind == addr.Publish && n.outcome == Ran {
		if err := n.queuePublished(ctx, e); err != nil {
			return err
		}
		n.Faults.Hit(fault.OutboxPut)
	}
	if n.entry != nil {
		if err := n.tidy(ctx, n.entry.Materialized, files); err != nil {
			return err
		}
	}
	n.slot.leave()
	err = n.store.update(ctx, func(d draft) { put(d, n.change, e) })
	if err != nil {
		return err
	}
	n.Faults.Hit(fault.AfterCommit)
	return removeDir(asideDir(n.Aside, n.change.Address))
}

func put(d draft, c *plan.Change, e *state.Entry) {
	d.dropFailure(c.Address)
	if !c.From.IsZero() {
		d.dropEntry(c.From)
		d.dropFailure(c.From)
		redirect(d, c.From, c.Address)
	}
	d.setEntry(c.Address, e)
}

// redirect lets entries that came from a moved node point at its new address.
func redirect(d draft, from, to addr.Addr) {
	for a, e := range d.Entries {
		next := *e
		next.Inputs = nil
		changed := false
		for _, in := range e.Inputs {
			if in.Address == from {
				in.Address, changed = to, true
			}
			next.Inputs = append(next.Inputs, in)
		}
		if changed {
			d.setEntry(a, &next)
		}
	}
}

func (n *nodeRun) newEntry(files []state.Materialized) *state.Entry {
	c := n.change
	e := &state.Entry{Address: c.Address, Type: c.Type, Fingerprint: n.inputs, Artifact: n.artifact.Digest(), Info: n.artifact.Info,
		Bytes: n.artifact.Bytes(), DependsOn: c.DependsOn, Config: c.Config, Materialized: files, Run: n.provenance(),
		Checks: state.Checks{Digest: check.Digest(c.Expectations), Expectations: c.Expectations, Results: n.results}}
	if c.Options != nil {
		e.To, e.Protected = c.Options.To, c.Options.PreventDestroy
	}
	for _, in := range c.Inputs {
		e.Inputs = append(e.Inputs, state.InputRef{Label: in.Label, Address: in.Address})
	}
	if old := n.entry; old != nil {
		e.History = old.History
		if n.outcome != Ran && old.Artifact == e.Artifact {
			e.Run = old.Run // nothing was made: the record of how it came to be stays
		}
	}
	if n.outcome == Ran {
		e.History = append(e.History[:len(e.History):len(e.History)], state.Sample{Seconds: n.seconds, InputBytes: n.inputBytes()})
		e.History = e.History[max(0, len(e.History)-state.MaxHistory):]
	}
	e.Run.Restored = n.outcome == Restored && (n.entry == nil || n.entry.Artifact != e.Artifact) || n.outcome != Ran && e.Run.Restored
	return e
}

func (n *nodeRun) inputBytes() int64 {
	var total int64
	for _, in := range n.change.Inputs {
		if e := n.store.entry(in.Address); e != nil {
			total += e.Bytes
		}
	}
	return total
}

// materialize puts the artifact's files at the node's "to": a path that ends in a slash is a directory for all of
// them, any other is the place of the table (or of the only file), and the rest goes beside it.
func (n *nodeRun) materialize(ctx context.Context) ([]state.Materialized, error) {
	if n.change.Options == nil || n.change.Options.To == "" {
		return nil, nil
	}
	env := n.env("")
	var files []state.Materialized
	for _, f := range n.artifact.Files {
		p := place(n.change.Options.To, n.artifact, f)
		if err := n.claim(p); err != nil {
			return nil, err
		}
		abs, err := env.Path(p)
		if err != nil {
			return nil, err
		}
		if err := n.Artifacts.Materialize(ctx, f, abs); err != nil {
			return nil, err
		}
		files = append(files, state.Materialized{Path: p, File: f})
	}
	n.store.own(n.change.Address, files)
	return files, nil
}

func place(to string, a *artifact.Artifact, f artifact.File) string {
	switch {
	case strings.HasSuffix(to, "/"):
		return path.Join(to, f.Path)
	case f.Path == a.Main || len(a.Files) == 1:
		return path.Clean(to)
	default:
		return path.Join(path.Dir(to), f.Path)
	}
}

// claim refuses a place that another node's files are at, unless the plan takes that node away.
func (n *nodeRun) claim(p string) error {
	if a, taken := n.store.owner(p, n.change.Address, n.change.From); taken && !n.leaving(a) {
		return fmt.Errorf("%s is where %s puts a file: give one of the two another \"to\"", p, a)
	}
	return nil
}

// leaving reports whether the plan deletes the entry at a.
func (n *nodeRun) leaving(a addr.Addr) bool {
	for i := range n.plan.Changes {
		if c := &n.plan.Changes[i]; c.Address == a && c.Action == plan.Delete {
			return true
		}
	}
	return false
}

// tidy removes files that were materialised before and are no longer. A file that somebody edited is left alone.
func (n *nodeRun) tidy(ctx context.Context, before, after []state.Materialized) error {
	kept := map[string]bool{}
	for _, m := range after {
		kept[m.Path] = true
	}
	for _, m := range before {
		if _, elsewhere := n.store.owner(m.Path, n.change.Address, n.change.From); kept[m.Path] || elsewhere {
			continue
		}
		if err := n.takeAway(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (n *nodeRun) takeAway(ctx context.Context, m state.Materialized) error {
	abs, err := n.env("").Path(m.Path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(abs); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if cmp, ok := n.Artifacts.(artifact.Comparer); ok {
		same, err := cmp.Same(ctx, m.File, abs)
		if err != nil {
			return err
		}
		if !same {
			n.store.warn(fmt.Sprintf("%s was edited since it was put there, so it is left alone: remove it by hand if it is not needed", m.Path))
			return nil
		}
	}
	if err := os.Remove(abs); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	pruneEmpty(filepath.Dir(abs), append([]string{n.WorkDir}, n.Roots...))
	return nil
}

// pruneEmpty removes a directory and its parents as long as they are empty and below one of the roots.
func pruneEmpty(dir string, roots []string) {
	for {
		inside := false
		for _, root := range roots {
			rel, err := filepath.Rel(root, dir)
			if err == nil && rel != "." && filepath.IsLocal(rel) {
				inside = true
			}
		}
		if !inside || os.Remove(dir) != nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}

// move records a node under its new address. Nothing runs.
func (n *nodeRun) move(ctx context.Context) error {
	if n.entry == nil {
		return fmt.Errorf("there is no entry at %s: plan again", n.change.From)
	}
	e := *n.entry
	e.Address = n.change.Address
	e.Inputs = nil
	for _, in := range n.change.Inputs {
		e.Inputs = append(e.Inputs, state.InputRef{Label: in.Label, Address: in.Address})
	}
	n.artifact = &artifact.Artifact{Info: e.Info}
	if a, err := n.Artifacts.Get(ctx, e.Artifact); err == nil {
		n.artifact = a
	}
	n.outcome, n.results = Moved, e.Checks.Results
	return n.store.update(ctx, func(d draft) { put(d, n.change, &e) })
}

// delete takes back what the node left outside the store, then its entry. The artifact stays in the store until it is
// swept.
func (n *nodeRun) delete(ctx context.Context) error {
	n.outcome = Deleted
	e := n.entry
	if e == nil {
		return nil
	}
	if n.change.Forget {
		n.outcome = Forgotten
	} else if err := n.takeBack(ctx, e); err != nil {
		return err
	}
	err := n.store.update(ctx, func(d draft) {
		d.dropEntry(n.change.Address)
		d.dropFailure(n.change.Address)
	})
	if err != nil {
		return err
	}
	n.Faults.Hit(fault.AfterCommit)
	return removeDir(asideDir(n.Aside, n.change.Address))
}

// takeBack takes away what the node left outside the store: its effects, and the files in their places.
func (n *nodeRun) takeBack(ctx context.Context, e *state.Entry) error {
	if err := n.remove(ctx, e); err != nil {
		return err
	}
	return n.tidy(ctx, e.Materialized, nil)
}

// remove lets the runner take its effects back, unless another node of the pipeline publishes to the same place.
func (n *nodeRun) remove(ctx context.Context, e *state.Entry) error {
	for _, other := range n.store.others(e.Address) {
		if other.Type == e.Type && other.Address.Kind == e.Address.Kind && bytes.Equal(other.Config, e.Config) {
			return nil
		}
	}
	runner, err := n.runner(e.Address.Kind, e.Type, 0, e.Config)
	if err != nil {
		return err
	}
	remover, ok := runner.(stage.Remover)
	if !ok {
		return nil
	}
	last, err := n.Artifacts.Get(ctx, e.Artifact)
	if errors.Is(err, artifact.ErrNotFound) {
		last = &artifact.Artifact{Info: e.Info}
	} else if err != nil {
		return err
	}
	return guarded(func() error { return remover.Remove(ctx, n.env(n.Scratch), last) })
}

// asideDir is where a node's rejected artifact lies.
func asideDir(root string, a addr.Addr) string {
	name := strings.Map(func(c rune) rune {
		if c == '/' || c == filepath.Separator || c == 0 {
			return '_'
		}
		return c
	}, a.String())
	return filepath.Join(root, name)
}
