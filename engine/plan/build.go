package plan

import (
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/graph"
	"pipe/engine/state"
)

// Request is all that a plan is made from.
type Request struct {
	Pipeline    *config.Pipeline
	Graph       *graph.Graph
	Snapshot    *state.Snapshot
	Observed    Observations
	Cache       Cache
	PipeVersion string
	Mode        Mode
	Author      string
	Targets     []addr.Addr
	Replace     []addr.Addr
}

// Observations is what was seen of the world outside while planning.
type Observations struct {
	Nodes   map[addr.Addr]digest.Digest // of nodes that are observers
	Pinned  map[addr.Addr]string        // of nodes that pin something
	Missing map[digest.Digest]string    // recorded artifacts that the store no longer holds whole, and why
	Drifted map[addr.Addr][]Drift       // materialised files that are not as recorded
	Imports map[addr.Addr]digest.Digest // what is at the path of an import block, or the artifact that its id names
}

// Drift is a materialised file, or a published object, that was changed or removed. Found is "" for a file that is gone.
type Drift struct {
	Path  string
	Want  digest.Digest
	Found digest.Digest
	What  string // of a published object: what is otherwise
}

// Cache tells which artifact a fingerprint produced before, if the store still holds it. It must give equal answers to
// equal questions while one plan is made.
type Cache interface {
	Known(fingerprint digest.Digest) (digest.Digest, bool)
}

// Build computes the proposed changes. Equal requests give equal plans.
func Build(r Request) (*Plan, hcl.Diagnostics) {
	b := &builder{Request: r, moved: map[addr.Addr]addr.Addr{}, planned: make([]*planned, r.Graph.Len())}
	p := &Plan{
		FormatVersion: FormatVersion, PipeVersion: r.PipeVersion,
		Pipeline: r.Pipeline.Name, Environment: r.Pipeline.Environment, Mode: r.Mode,
		ConfigDigest: r.Pipeline.Digest(), Settings: r.Pipeline.Settings,
		State:     StateRef{Lineage: r.Snapshot.Lineage, Serial: r.Snapshot.Serial, AuditHead: r.Snapshot.AuditHead},
		Variables: variables(r.Pipeline.Variables), Outputs: outputs(r.Pipeline.Outputs),
		Targets: r.Targets, Changes: []Change{},
	}
	if p.Settings.Approval != nil || len(r.Snapshot.Approval) > 0 {
		p.Author = r.Author
	}
	for _, n := range r.Pipeline.Notifiers {
		p.Notifiers = append(p.Notifiers, Notifier{Address: n.Addr, Type: n.Type.Name(), Config: n.Config, On: n.On})
	}
	selected, diags := b.selection()
	if diags.HasErrors() {
		return nil, diags
	}
	if r.Mode != Destroy {
		b.findMoves()
		for i := range b.planned {
			b.planned[i] = b.node(i, selected == nil || selected[i])
			if c := b.planned[i].change; c != nil {
				p.Changes = append(p.Changes, *c)
			}
		}
	}
	deletes, more := b.deletes()
	diags = append(diags, more...)
	p.Changes = append(p.Changes, deletes...)
	p.Summary = b.summarize(p.Changes)
	return p, diags
}

// builder holds what the nodes that come later need to know of those before them.
type builder struct {
	Request
	moved   map[addr.Addr]addr.Addr // new address -> address of the entry
	planned []*planned              // by place in the graph
	replace map[int]bool
}

// planned is what is known of a node after planning it.
type planned struct {
	change  *Change       // nil if nothing happens
	known   digest.Digest // the artifact that the node will have, "" while that is pending
	after   []addr.Addr   // changes that a node below must wait for
	checked bool          // something at or above this node will be checked in this plan, and may stop what is below
}

// selection returns the places that targets select, nil for all.
func (b *builder) selection() (map[int]bool, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	places, missing := b.Graph.Match(b.Replace)
	for _, a := range missing {
		diags = append(diags, unknownAddress(b.Graph, "--replace", a))
	}
	b.replace = map[int]bool{}
	for _, i := range places {
		b.replace[i] = true
	}
	if len(b.Targets) == 0 {
		return nil, diags
	}
	places, missing = b.Graph.Match(b.Targets)
	for _, a := range missing {
		if !b.hasEntry(a) {
			diags = append(diags, unknownAddress(b.Graph, "--target", a))
		}
	}
	return b.Graph.Upstream(places), diags
}

func (b *builder) hasEntry(a addr.Addr) bool {
	for have := range b.Snapshot.Entries {
		if a.Covers(have) {
			return true
		}
	}
	return false
}

func unknownAddress(g *graph.Graph, flag string, a addr.Addr) *hcl.Diagnostic {
	var names []string
	for i := range g.Len() {
		names = append(names, g.Node(i).Addr.String())
	}
	return diag.Error("plan.unknown_address", nil, "Unknown address",
		"%s names %s, but the pipeline has no such node.%s", flag, a, diag.DidYouMean(a.String(), names))
}

// node plans the node at place i. A node that is not selected keeps what it has.
func (b *builder) node(i int, selected bool) *planned {
	n := b.Graph.Node(i)
	entry := b.entry(n.Addr)
	if !selected {
		return b.keep(i, entry)
	}
	c := b.draft(i, entry)
	switch {
	case entry == nil && b.imports(c):
		c.Action = Import
	case entry == nil:
		c.Action = Create
	case mustRun(c.Reasons) || hasCode(c.Reasons, InputPending):
		c.Action = Update
	case hasCode(c.Reasons, Drifted) || hasOption(c.Reasons):
		c.Action, c.Cached = Update, n.Addr.Kind != addr.Publish || !hasCode(c.Reasons, Drifted)
	case check.Digest(n.Expectations) != entry.Checks.Digest:
		c.Action = Recheck
	case !c.From.IsZero():
		c.Action = Move
	default:
		return b.keep(i, entry)
	}
	if b.Mode == RefreshOnly && !onlyRepair(c) {
		return b.keep(i, entry)
	}
	b.settle(c, entry)
	return b.record(i, c, entry)
}

// onlyRepair reports whether the change only restores materialised files, or what was published.
func onlyRepair(c *Change) bool {
	return c.Action == Update && hasCode(c.Reasons, Drifted) && !mustRun(c.Reasons) && !hasCode(c.Reasons, InputPending)
}

// keep leaves the node as it is recorded; what waits for it waits for what is above it.
func (b *builder) keep(i int, entry *state.Entry) *planned {
	p := &planned{}
	if entry != nil {
		p.known = entry.Artifact
	}
	p.after, p.checked = b.above(i)
	return p
}

// above merges what the upstreams of node i wait for.
func (b *builder) above(i int) (after []addr.Addr, checked bool) {
	seen := map[addr.Addr]bool{}
	for _, u := range b.Graph.Up(i) {
		checked = checked || b.planned[u].checked
		for _, a := range b.planned[u].after {
			if !seen[a] {
				seen[a] = true
				after = append(after, a)
			}
		}
	}
	return after, checked
}

// entry returns the recorded entry of an address, also if it has moved.
func (b *builder) entry(a addr.Addr) *state.Entry {
	if from, ok := b.moved[a]; ok {
		return b.Snapshot.Entries[from]
	}
	return b.Snapshot.Entries[a]
}

// draft fills in everything about the change but its action, and finds the reasons.
func (b *builder) draft(i int, entry *state.Entry) *Change {
	n := b.Graph.Node(i)
	c := &Change{Address: n.Addr, Kind: n.Addr.Kind, Type: n.Type.Name(), Certainty: Must, Revision: n.Type.Revision(),
		Config: n.Config, DependsOn: n.DependsOn, Observation: b.Observed.Nodes[n.Addr], Pinned: b.Observed.Pinned[n.Addr],
		Expectations: n.Expectations, Options: &n.Options, From: b.moved[n.Addr]}
	c.Entry = entry.Digest()
	c.After, _ = b.above(i)
	for _, e := range n.Inputs {
		in := Input{Label: e.Label, Address: e.Addr}
		if u, ok := b.Graph.Index(e.Addr); ok {
			in.Digest = b.planned[u].known
		}
		c.Inputs = append(c.Inputs, in)
	}
	c.Reasons = b.reasons(c, n, entry)
	if b.replace[i] {
		c.Reasons = append(c.Reasons, Reason{Code: Requested})
	}
	if f := b.Snapshot.Failures[n.Addr]; f != nil && len(c.Reasons) > 0 {
		c.Reasons = append(c.Reasons, Reason{Code: PreviousFailure, Detail: f.Error})
	}
	return c
}

// mustRun reports whether the data has to be made again for certain.
func mustRun(reasons []Reason) bool {
	for _, r := range reasons {
		switch r.Code {
		case TypeChanged, InputChanged, ArtifactMissing, Requested:
			return true
		case ConfigChanged:
			if !isOption(r) {
				return true
			}
		}
	}
	return false
}

func hasOption(reasons []Reason) bool {
	for _, r := range reasons {
		if isOption(r) {
			return true
		}
	}
	return false
}

// settle finds out how certain the change is, and whether the cache already has its result.
func (b *builder) settle(c *Change, entry *state.Entry) {
	switch {
	case c.Action == Import:
		return
	case c.Action == Recheck || c.Action == Move || c.Cached:
		c.Artifact = entry.Artifact
		return
	case pending(c.Inputs):
		if c.Action == Update && !certain(c.Reasons) {
			c.Certainty = May
		}
		return
	case c.Kind == addr.Publish || hasCode(c.Reasons, Requested):
		return // effects outside can't be restored; what was requested runs
	}
	if id, ok := b.Cache.Known(c.Fingerprint().Digest()); ok {
		c.Cached, c.Artifact = true, id
	}
}

// certain reports whether there is a reason besides pending inputs (and notes that are no causes).
func certain(reasons []Reason) bool {
	for _, r := range reasons {
		switch r.Code {
		case InputPending, PreviousFailure, Moved, Drifted, ExpectationAdded, ExpectationChanged, ExpectationRemoved:
		case ConfigChanged:
			if !isOption(r) {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func pending(inputs []Input) bool {
	for _, in := range inputs {
		if in.Digest == "" {
			return true
		}
	}
	return false
}

// record files the change for the nodes below.
func (b *builder) record(i int, c *Change, entry *state.Entry) *planned {
	_, checked := b.above(i)
	p := &planned{change: c, known: c.Artifact, after: []addr.Addr{c.Address}, checked: checked || blocks(c.Expectations)}
	if c.Kind == addr.Publish && p.checked && c.Certainty == Must && (c.Action == Create || c.Action == Update) {
		c.Certainty = Gated
	}
	c.Estimate = estimate(c, entry)
	return p
}

func blocks(list []check.Expectation) bool {
	for _, e := range list {
		if e.Severity.Blocks() {
			return true
		}
	}
	return false
}

func (b *builder) summarize(changes []Change) Summary {
	s := Summary{NoOp: b.Graph.Len()}
	if b.Mode == Destroy {
		s.NoOp = 0
	}
	for _, c := range changes {
		switch c.Action {
		case Create:
			s.Create++
		case Update:
			s.Update++
		case Recheck:
			s.Recheck++
		case Delete:
			s.Delete++
		case Move:
			s.Move++
		case Import:
			s.Import++
		}
		if c.Action != Delete {
			s.NoOp--
		}
		if c.Certainty == May {
			s.May++
		}
		if c.Cached {
			s.Cached++
		}
	}
	return s
}

// Fingerprint returns the fingerprint that the change's node has once all inputs are known.
func (c *Change) Fingerprint() state.Fingerprint {
	f := state.Fingerprint{Version: state.FingerprintVersion, Kind: string(c.Kind), Type: c.Type, Revision: c.Revision,
		Config: c.Config, Observation: c.Observation}
	for _, in := range c.Inputs {
		f.Inputs = append(f.Inputs, state.InputPart{Label: in.Label, Digest: in.Digest})
	}
	return f
}

func variables(list []config.Variable) map[string]Variable {
	m := make(map[string]Variable, len(list))
	for _, v := range list {
		m[v.Name] = plainVariable(v.Value, v.Sensitive)
	}
	return m
}

func outputs(list []config.Output) map[string]Variable {
	m := make(map[string]Variable, len(list))
	for _, o := range list {
		m[o.Name] = plainVariable(o.Value, o.Sensitive)
	}
	return m
}

func plainVariable(v cty.Value, sensitive bool) Variable {
	if sensitive {
		return Variable{Sensitive: true}
	}
	v, _ = v.UnmarkDeep()
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return Variable{} // a capsule, which has no value before the run
	}
	return Variable{Value: b}
}

func sortAddrs(list []addr.Addr) {
	sort.Slice(list, func(i, j int) bool { return list[i].Compare(list[j]) < 0 })
}
