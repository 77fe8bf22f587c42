package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/config"
	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// observe looks at the world outside: what observers read, what pinners pin, which recorded artifacts are gone and
// which materialised files were changed.
func (e *Engine) observe(ctx context.Context, l *Loaded, snap *state.Snapshot, store ArtifactStore, po PlanOptions) (plan.Observations, hcl.Diagnostics) {
	o := plan.Observations{Nodes: map[addr.Addr]digest.Digest{}, Pinned: map[addr.Addr]string{},
		Missing: map[digest.Digest]string{}, Drifted: map[addr.Addr][]plan.Drift{}}
	var diags hcl.Diagnostics
	if po.Mode != plan.Destroy {
		diags = e.observeNodes(ctx, l, po, &o)
	}
	if diags.HasErrors() || po.Mode == plan.Destroy {
		return o, diags
	}
	if o.Imports, diags = e.observeImports(ctx, l.Pipeline, snap, store); diags.HasErrors() {
		return o, diags
	}
	if err := observeArtifacts(ctx, snap, store, &o); err != nil {
		return o, fromError("engine.store", "Store cannot be read", err)
	}
	if err := e.observeDrift(ctx, l.Pipeline.Settings, snap, store, &o); err != nil {
		return o, fromError("engine.drift", "Materialised file cannot be read", err)
	}
	if po.Mode == plan.RefreshOnly && !po.Offline {
		diags = append(diags, e.inspect(ctx, l, snap, store, &o)...)
	}
	return o, diags
}

// inspect looks whether what was published is still there as it was left.
func (e *Engine) inspect(ctx context.Context, l *Loaded, snap *state.Snapshot, store ArtifactStore, o *plan.Observations) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for i := range l.Graph.Len() {
		n := l.Graph.Node(i)
		inspector, ok := n.Runner.(stage.Inspector)
		entry := snap.Entries[n.Addr]
		if !ok || entry == nil || o.Missing[entry.Artifact] != "" {
			continue
		}
		found, err := e.inspectNode(ctx, l, n, inspector, entry, store)
		if err != nil {
			diags = append(diags, observationDiagnostic(n, err))
		}
		for _, what := range found {
			at, rest, _ := strings.Cut(what, ": ")
			o.Drifted[n.Addr] = append(o.Drifted[n.Addr], plan.Drift{Path: at, What: rest})
		}
	}
	return diags
}

func (e *Engine) inspectNode(ctx context.Context, l *Loaded, n *config.Node, inspector stage.Inspector, entry *state.Entry, store ArtifactStore) ([]string, error) {
	dir, err := os.MkdirTemp("", "pipe-inspect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	a, err := store.Get(ctx, entry.Artifact)
	if err != nil {
		return nil, err
	}
	for _, f := range a.Files {
		if err := store.Materialize(ctx, f, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return nil, err
		}
	}
	return inspector.Inspect(ctx, e.observerEnv(l.Pipeline, n), stage.Input{Artifact: a, Dir: dir})
}

type sighting struct {
	digest digest.Digest
	pinned string
	diag   *hcl.Diagnostic
}

// observeNodes asks observers and pinners, several at a time; the answers are in the graph's order.
func (e *Engine) observeNodes(ctx context.Context, l *Loaded, po PlanOptions, o *plan.Observations) hcl.Diagnostics {
	seen := make([]sighting, l.Graph.Len())
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range l.Graph.Len() {
		n := l.Graph.Node(i)
		observer, observes := n.Runner.(stage.Observer)
		pinner, pins := n.Runner.(stage.Pinner)
		pins = pins && !po.Offline
		if !observes && !pins {
			continue
		}
		g.Go(func() error {
			env := e.observerEnv(l.Pipeline, n)
			var err error
			if observes {
				seen[i].digest, err = observer.Observe(ctx, env)
			}
			if err == nil && pins {
				seen[i].pinned, err = pinner.Pin(ctx, env)
			}
			if err != nil {
				seen[i].diag = observationDiagnostic(n, err)
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in seen
	var diags hcl.Diagnostics
	for i, s := range seen {
		n := l.Graph.Node(i)
		if s.diag != nil {
			diags = append(diags, s.diag)
		}
		if s.digest != "" {
			o.Nodes[n.Addr] = s.digest
		}
		if s.pinned != "" {
			o.Pinned[n.Addr] = s.pinned
		}
	}
	return diags
}

func observationDiagnostic(n *config.Node, err error) *hcl.Diagnostic {
	subject := n.Range
	var attr *stage.AttrError
	if errors.As(err, &attr) && len(attr.Path) > 0 {
		if step, ok := attr.Path[0].(cty.GetAttrStep); ok && n.AttrRanges[step.Name].Filename != "" {
			subject = n.AttrRanges[step.Name]
		}
	}
	summary := "Input cannot be read"
	if n.Addr.Kind == addr.Publish {
		summary = "Publish target cannot be reached"
	}
	return diag.Error("engine.observe", &subject, summary, "%s: %s", n.Addr, sentence(err.Error()))
}

func (e *Engine) observerEnv(p *config.Pipeline, n *config.Node) stage.Env {
	return stage.Env{Log: e.Log.Named(n.Addr.String()), Now: e.Now, Getenv: e.Getenv, WorkDir: e.WorkDir, Roots: e.roots(p.Settings),
		Run: stage.RunInfo{Pipeline: p.Name, Environment: p.Environment, Node: n.Addr}}
}

// observeArtifacts finds recorded artifacts that the store no longer holds whole, several at a time.
func observeArtifacts(ctx context.Context, snap *state.Snapshot, store ArtifactStore, o *plan.Observations) error {
	seen := make(map[digest.Digest]bool, len(snap.Entries))
	list := make([]digest.Digest, 0, len(snap.Entries))
	for _, entry := range snap.Entries {
		if !seen[entry.Artifact] {
			seen[entry.Artifact] = true
			list = append(list, entry.Artifact)
		}
	}
	var mu sync.Mutex
	var g errgroup.Group
	workers := min(2*runtime.GOMAXPROCS(0), len(list))
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(list); i += workers {
				_, err := store.Get(ctx, list[i])
				if err == nil {
					continue
				}
				if !errors.Is(err, artifact.ErrNotFound) {
					return err
				}
				why := "it is no longer in the store"
				var corrupt *artifact.CorruptError
				if errors.As(err, &corrupt) {
					why = "its stored content was changed or damaged"
				}
				mu.Lock()
				o.Missing[list[i]] = why
				mu.Unlock()
			}
			return nil
		})
	}
	return g.Wait()
}

// observeDrift compares materialised files with what was put there.
func (e *Engine) observeDrift(ctx context.Context, s config.Settings, snap *state.Snapshot, store ArtifactStore, o *plan.Observations) error {
	env := stage.Env{WorkDir: e.WorkDir, Roots: e.roots(s)}
	for a, entry := range snap.Entries {
		if _, gone := o.Missing[entry.Artifact]; gone {
			continue
		}
		for _, m := range entry.Materialized {
			abs, err := env.Path(m.Path)
			if err != nil {
				return err
			}
			same, err := store.Same(ctx, m.File, abs)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if same {
				continue
			}
			d := plan.Drift{Path: m.Path, Want: m.File.Digest}
			if found, _, err := digest.File(abs); err == nil {
				d.Found = found
			}
			o.Drifted[a] = append(o.Drifted[a], d)
		}
	}
	return nil
}
