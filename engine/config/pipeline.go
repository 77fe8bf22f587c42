package config

import (
	"encoding/json"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/approval"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// Pipeline is all decoded blocks of one plan.
type Pipeline struct {
	Name        string // pipe { name }, else the plan directory's (or file's) base name
	Environment string
	WorkDir     string // absolute; relative paths are relative to it
	Settings    Settings
	Variables   []Variable // sorted by name
	Nodes       []*Node    // every instance that is enabled, in the order of addr.Compare
	Notifiers   []*Notifier
	Outputs     []Output
	Moves       []Move
	Removals    []Removal
	Imports     []Import
	Sources     map[string]*hcl.File // for diagnostics with excerpts
}

// Settings is the pipe block.
type Settings struct {
	State       Backend          `json:"state"`                 // type "file" by default, path ".pipe/state"
	Store       Backend          `json:"store"`                 // type "file" by default, path ".pipe/store"
	Executor    string           `json:"executor"`              // "local"
	Parallelism int              `json:"parallelism,omitempty"` // 0: not set
	AllowPaths  []string         `json:"allow_paths,omitempty"`
	Approval    *approval.Policy `json:"approval,omitempty"` // nil: none is needed
}

// Backend is a state or store block.
type Backend struct {
	Type string `json:"type"`
	Path string `json:"path"` // of type "file": absolute, or relative to the working directory
}

// Variable is a variable with the value it got.
type Variable struct {
	Name      string
	Value     cty.Value
	Sensitive bool
}

// Node is one input, stage or publish, or one instance of it.
type Node struct {
	Addr         addr.Addr
	Type         stage.Type
	Config       json.RawMessage // canonical, see stage.Encode
	Runner       stage.Runner    // decoded from Config
	Inputs       []Edge          // sorted as stage.Encode does
	DependsOn    []addr.Addr     // sorted
	Expectations []check.Expectation
	Options      Options
	Range        hcl.Range            // of the block's header
	AttrRanges   map[string]hcl.Range // of the attributes' expressions
}

// Edge is one data dependency.
type Edge struct {
	Label string
	Addr  addr.Addr
	Range hcl.Range // of the reference
}

// Options never enter a fingerprint.
type Options struct {
	To             string            `json:"to,omitempty"`
	Retry          Retry             `json:"retry"`
	Timeout        Duration          `json:"timeout,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Description    string            `json:"description,omitempty"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
}

// Retry says how often a node that fails is tried, and how long to wait: backoff, doubled each time up to MaxBackoff,
// with jitter.
type Retry struct {
	Attempts   int      `json:"attempts"` // in all; at least 1
	Backoff    Duration `json:"backoff"`
	MaxBackoff Duration `json:"max_backoff,omitempty"`
}

// Duration is a time.Duration that stands as "2s" in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Notifier is a notify block.
type Notifier struct {
	Addr   addr.Addr
	Type   stage.Type
	Config json.RawMessage
	On     []string // events: published, failed, succeeded; sorted
	Range  hcl.Range
}

// Output is an output block: a value known before the run.
type Output struct {
	Name      string
	Value     cty.Value
	Sensitive bool
}

// Digest names everything in the pipeline that decides what runs: not comments, order of blocks, or places.
func (p *Pipeline) Digest() digest.Digest {
	type node struct {
		Address      addr.Addr
		Type         string
		Config       json.RawMessage
		Inputs       map[string]string
		DependsOn    []addr.Addr
		Expectations []check.Expectation
		Options      Options
	}
	nodes := make([]node, 0, len(p.Nodes)+len(p.Notifiers))
	for _, n := range p.Nodes {
		in := make(map[string]string, len(n.Inputs))
		for _, e := range n.Inputs {
			in[e.Label] = e.Addr.String()
		}
		nodes = append(nodes, node{n.Addr, n.Type.Name(), n.Config, in, n.DependsOn, n.Expectations, n.Options})
	}
	for _, n := range p.Notifiers {
		nodes = append(nodes, node{Address: n.Addr, Type: n.Type.Name(), Config: n.Config})
	}
	if len(p.Moves)+len(p.Removals)+len(p.Imports) > 0 {
		return digest.JSON([]any{nodes, p.Moves, p.Removals, p.Imports})
	}
	return digest.JSON(nodes)
}
