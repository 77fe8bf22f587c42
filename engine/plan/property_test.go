package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/graph"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

func testType(kind addr.Kind) stage.Type {
	return &stage.Def[struct{}]{Of: kind, Label: "test", Rev: 1, New: func(struct{}) (stage.Runner, error) { return nil, nil },
		Spec: stage.Schema{Attrs: []stage.Attr{{Name: "v", Type: cty.Number}}}}
}

// world is a pipeline, the memory of its runs and a store, without files and clocks: an oracle for the planner that
// does what the architecture says of apply, node by node.
type world struct {
	nodes []*config.Node
	snap  *state.Snapshot
	cache map[digest.Digest]digest.Digest
	ran   []addr.Addr
}

// Known implements plan.Cache.
func (w *world) Known(fp digest.Digest) (digest.Digest, bool) { d, ok := w.cache[fp]; return d, ok }

func randomWorld(r *rand.Rand, size int) *world {
	w := &world{snap: state.New("test", "dev"), cache: map[digest.Digest]digest.Digest{}}
	for i := range size {
		kind := addr.Stage
		if i > 0 && r.IntN(6) == 0 {
			kind = addr.Publish
		}
		n := &config.Node{Addr: addr.New(kind, fmt.Sprintf("n%02d", i)), Type: testType(kind)}
		for u := range i {
			if r.IntN(3) == 0 && w.nodes[u].Addr.Kind == addr.Stage {
				n.Inputs = append(n.Inputs, config.Edge{Label: fmt.Sprintf("in%d", len(n.Inputs)), Addr: w.nodes[u].Addr})
			}
		}
		if r.IntN(4) == 0 {
			n.Expectations = []check.Expectation{{Type: "x", Args: json.RawMessage(`{"column":"c"}`), Severity: check.Error}}
		}
		w.nodes = append(w.nodes, n)
		w.set(i, r.IntN(3), r.IntN(2) == 0)
	}
	return w
}

// set gives node i a configuration. A node that collapses has an output that does not depend on its inputs.
func (w *world) set(i, v int, collapse bool) {
	w.nodes[i].Config = json.RawMessage(fmt.Sprintf(`{"collapse":%v,"id":%d,"v":%d}`, collapse, i, v))
}

func (w *world) request(t *testing.T, nodes []*config.Node) plan.Request {
	t.Helper()
	p := &config.Pipeline{Name: "test", Environment: "dev", Nodes: nodes}
	g, diags := graph.Build(p)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return plan.Request{Pipeline: p, Graph: g, Snapshot: w.snap, Cache: w, PipeVersion: "test", Mode: plan.Normal}
}

func (w *world) plan(t *testing.T) *plan.Plan {
	t.Helper()
	p, diags := plan.Build(w.request(t, w.nodes))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// apply carries out a plan. What it runs is in w.ran.
func (w *world) apply(t *testing.T, p *plan.Plan) {
	t.Helper()
	w.ran = nil
	done := map[addr.Addr]digest.Digest{}
	for _, c := range p.Changes {
		if c.Action == plan.Delete {
			delete(w.snap.Entries, c.Address)
			continue
		}
		if c.Action == plan.Move {
			e := *w.snap.Entries[c.From]
			e.Address = c.Address
			delete(w.snap.Entries, c.From)
			w.snap.Entries[c.Address] = &e
			done[c.Address] = e.Artifact
			continue
		}
		w.applyOne(t, c, done)
	}
	w.snap.Serial++
}

func (w *world) applyOne(t *testing.T, c plan.Change, done map[addr.Addr]digest.Digest) {
	t.Helper()
	f := c.Fingerprint()
	for i, in := range c.Inputs {
		if d, ok := done[in.Address]; ok {
			f.Inputs[i].Digest = d
		}
		if f.Inputs[i].Digest == "" {
			t.Fatalf("%s: input %s has no digest when its turn comes", c.Address, in.Label)
		}
	}
	old := w.snap.Entries[c.Address]
	out, restored := w.cache[f.Digest()]
	switch {
	case old != nil && old.Fingerprint.Digest() == f.Digest():
		out = old.Artifact
	case restored && c.Kind != addr.Publish:
	default:
		out = output(f)
		w.ran = append(w.ran, c.Address)
	}
	w.cache[f.Digest()] = out
	if c.Cached && c.Artifact != out {
		t.Fatalf("%s: the plan promised %s from the cache, it became %s", c.Address, c.Artifact, out)
	}
	done[c.Address] = out
	w.snap.Entries[c.Address] = &state.Entry{Address: c.Address, Type: c.Type, Fingerprint: f, Artifact: out, Config: c.Config,
		Checks: state.Checks{Digest: check.Digest(c.Expectations), Expectations: c.Expectations}}
}

func output(f state.Fingerprint) digest.Digest {
	var c struct {
		Collapse bool
		ID, V    int
	}
	if err := json.Unmarshal(f.Config, &c); err != nil {
		panic(err)
	}
	if c.Collapse {
		return digest.JSON([]int{c.ID, c.V})
	}
	return f.Digest()
}

func each(t *testing.T, fn func(t *testing.T, r *rand.Rand, w *world)) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := randomWorld(r, 2+r.IntN(12))
		fn(t, r, w)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestApplyThenPlanIsEmpty(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		for range 3 {
			w.apply(t, w.plan(t))
			if p := w.plan(t); p.HasChanges() || p.Summary.NoOp != len(w.nodes) {
				t.Errorf("after apply the plan still has %d changes", len(p.Changes))
			}
			w.set(r.IntN(len(w.nodes)), r.IntN(5), r.IntN(2) == 0)
		}
	})
}

func TestOrderOfBlocksDoesNotMatter(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.nodes = sortedNodes(w.nodes)
		want, _ := w.plan(t).Encode()
		shuffled := append([]*config.Node(nil), w.nodes...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		req := w.request(t, shuffled)
		req.Pipeline.Nodes = sortedNodes(shuffled)
		p, _ := plan.Build(req)
		got, _ := p.Encode()
		if !bytes.Equal(got, want) {
			t.Errorf("shuffled blocks give another plan:\n%s\n%s", got, want)
		}
	})
}

func sortedNodes(nodes []*config.Node) []*config.Node {
	out := append([]*config.Node(nil), nodes...)
	for i := range out {
		for j := i; j > 0 && out[j].Addr.Compare(out[j-1].Addr) < 0; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

func TestEditTouchesDescendantsOnlyAndIsContained(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.apply(t, w.plan(t))
		i := r.IntN(len(w.nodes))
		w.set(i, 10+r.IntN(3), r.IntN(2) == 0)
		p := w.plan(t)
		g, _ := graph.Build(&config.Pipeline{Nodes: w.nodes})
		at, _ := g.Index(w.nodes[i].Addr)
		below := g.Downstream([]int{at})
		certainty := map[addr.Addr]plan.Certainty{}
		for _, c := range p.Changes {
			where, _ := g.Index(c.Address)
			if !below[where] {
				t.Errorf("an edit of %s changes %s, which is not below it", w.nodes[i].Addr, c.Address)
			}
			certainty[c.Address] = c.Certainty
		}
		w.apply(t, p)
		ran := map[addr.Addr]bool{}
		for _, a := range w.ran {
			ran[a] = true
			if certainty[a] == "" {
				t.Errorf("%s ran and was not in the plan", a)
			}
		}
		for _, c := range p.Changes {
			if c.Certainty == plan.Must && !c.Cached && c.Action == plan.Update && !ran[c.Address] {
				t.Errorf("%s had to run and did not", c.Address)
			}
		}
	})
}

func TestGoingBackRunsNoStage(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.apply(t, w.plan(t))
		i := r.IntN(len(w.nodes))
		before := w.nodes[i].Config
		w.set(i, 20, r.IntN(2) == 0)
		w.apply(t, w.plan(t))
		w.nodes[i].Config = before
		p := w.plan(t)
		for _, c := range p.Changes {
			if c.Kind == addr.Stage && !c.Cached {
				t.Errorf("going back runs %s again", c.Address)
			}
		}
		w.apply(t, p)
		for _, a := range w.ran {
			if a.Kind == addr.Stage {
				t.Errorf("%s ran", a)
			}
		}
	})
}

func TestRenameRunsNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.apply(t, w.plan(t))
		i := r.IntN(len(w.nodes))
		old := w.nodes[i].Addr
		renamed := *w.nodes[i]
		renamed.Addr.Name = "renamed"
		w.nodes[i] = &renamed
		for j, n := range w.nodes {
			next := *n
			next.Inputs = nil
			for _, e := range n.Inputs {
				if e.Addr == old {
					e.Addr = renamed.Addr
				}
				next.Inputs = append(next.Inputs, e)
			}
			w.nodes[j] = &next
		}
		p := w.plan(t)
		if len(p.Changes) != 1 || p.Changes[0].Action != plan.Move || p.Changes[0].From != old {
			t.Errorf("a rename gives %+v", p.Changes)
		}
		w.apply(t, p)
		if len(w.ran) > 0 || w.plan(t).HasChanges() {
			t.Errorf("a rename ran %v", w.ran)
		}
	})
}

func TestExpectationEditRechecksOnly(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.apply(t, w.plan(t))
		i := r.IntN(len(w.nodes))
		w.nodes[i].Expectations = []check.Expectation{{Type: "x", Args: json.RawMessage(`{"column":"d"}`), Severity: check.Warn}}
		p := w.plan(t)
		if len(p.Changes) != 1 || p.Changes[0].Action != plan.Recheck || p.Summary.Recheck != 1 {
			t.Errorf("an edited expectation gives %+v", p.Changes)
		}
	})
}

func TestDestroyRemovesConsumersFirst(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.apply(t, w.plan(t))
		for a, e := range w.snap.Entries {
			next := *e
			for _, n := range w.nodes {
				if n.Addr == a {
					for _, in := range n.Inputs {
						next.Inputs = append(next.Inputs, state.InputRef{Label: in.Label, Address: in.Addr})
					}
				}
			}
			w.snap.Entries[a] = &next
		}
		req := w.request(t, w.nodes)
		req.Mode = plan.Destroy
		p, diags := plan.Build(req)
		if diags.HasErrors() || len(p.Changes) != len(w.nodes) || p.Summary.Delete != len(w.nodes) {
			t.Fatalf("destroy plans %d deletes for %d nodes: %v", len(p.Changes), len(w.nodes), diags)
		}
		gone := map[addr.Addr]bool{}
		for _, c := range p.Changes {
			for _, n := range w.nodes {
				for _, in := range n.Inputs {
					if in.Addr == c.Address && !gone[n.Addr] {
						t.Errorf("%s goes before %s, which reads it", c.Address, n.Addr)
					}
				}
			}
			gone[c.Address] = true
		}
		w.apply(t, p)
		if len(w.snap.Entries) != 0 {
			t.Errorf("entries are left: %v", maps.Keys(w.snap.Entries))
		}
	})
}

func TestPlanSurvivesEncoding(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		p := w.plan(t)
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := plan.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if back.Digest() != p.Digest() {
			t.Error("a plan read back has another digest")
		}
		b[len(b)/2] ^= 1
		if _, err := plan.Decode(b); err == nil && digest.Bytes(b) == p.Digest() {
			t.Error("a changed byte went unnoticed")
		}
	})
}
