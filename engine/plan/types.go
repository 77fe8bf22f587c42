package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
)

// FormatVersion is the version of the plan's JSON form.
const FormatVersion = "1.0"

// Plan is the ordered list of changes that one apply may make, with all that apply needs.
type Plan struct {
	FormatVersion string              `json:"format_version"`
	PipeVersion   string              `json:"pipe_version"`
	Pipeline      string              `json:"pipeline"`
	Environment   string              `json:"environment"`
	Mode          Mode                `json:"mode"`
	Targets       []addr.Addr         `json:"targets,omitempty"` // what the plan is limited to, with what that needs
	Author        string              `json:"author,omitempty"`  // who made it; only where plans need approvals
	ConfigDigest  digest.Digest       `json:"config_digest"`
	State         StateRef            `json:"state"`
	Settings      config.Settings     `json:"settings"`
	Variables     map[string]Variable `json:"variables"`
	Changes       []Change            `json:"changes"`
	Notifiers     []Notifier          `json:"notifiers,omitempty"`
	Outputs       map[string]Variable `json:"outputs,omitempty"`
	Summary       Summary             `json:"summary"`
}

// Mode says what the plan was made for.
type Mode string

// Normal brings everything up to date; Destroy removes every entry; RefreshOnly repairs drift and runs nothing.
const (
	Normal      Mode = "normal"
	Destroy     Mode = "destroy"
	RefreshOnly Mode = "refresh_only"
)

// StateRef says which state the plan was made against.
type StateRef struct {
	Lineage   string        `json:"lineage"`
	Serial    int64         `json:"serial"`
	AuditHead digest.Digest `json:"audit_head"`
}

// Variable is the value that a variable had; a sensitive one has none.
type Variable struct {
	Value     json.RawMessage `json:"value,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// Action is what apply does to a node.
type Action string

// The actions. Update with Cached set restores an artifact from the store and runs nothing.
const (
	Create  Action = "create"
	Update  Action = "update"
	Recheck Action = "recheck"
	Delete  Action = "delete"
	NoOp    Action = "no_op"
	Import  Action = "import"
	Move    Action = "move"
)

// Certainty says whether the change will be carried out.
type Certainty string

// Must: runs. May: runs unless its inputs turn out unchanged. Gated: runs if the checks before it pass.
const (
	Must  Certainty = "must"
	May   Certainty = "may"
	Gated Certainty = "gated"
)

// Change is what happens to one node.
type Change struct {
	Address   addr.Addr   `json:"address"`
	Kind      addr.Kind   `json:"kind"`
	Type      string      `json:"type"`
	Action    Action      `json:"action"`
	Certainty Certainty   `json:"certainty"`
	Cached    bool        `json:"cached"`
	Reasons   []Reason    `json:"reasons"`
	After     []addr.Addr `json:"after,omitempty"` // changes of this plan that come first
	Estimate  *Estimate   `json:"estimate,omitempty"`

	From         addr.Addr           `json:"from,omitzero"`   // the address before a move
	Entry        digest.Digest       `json:"entry,omitempty"` // of the recorded entry that the change was planned on; see state.Entry.Digest
	Revision     int                 `json:"revision,omitempty"`
	Config       json.RawMessage     `json:"config,omitempty"`
	Inputs       []Input             `json:"inputs,omitempty"`
	DependsOn    []addr.Addr         `json:"depends_on,omitempty"`
	Observation  digest.Digest       `json:"observation,omitempty"`
	Pinned       string              `json:"pinned,omitempty"` // see stage.Pinner
	Expectations []check.Expectation `json:"expectations,omitempty"`
	Options      *config.Options     `json:"options,omitempty"`
	Import       *Imported           `json:"import,omitempty"`   // what is taken in instead of a run
	Forget       bool                `json:"forget,omitempty"`   // of a delete: only the record goes, what is outside stays
	Artifact     digest.Digest       `json:"artifact,omitempty"` // known beforehand: restored, rechecked, moved or deleted
}

// Input is one input of a change. Digest is the artifact's where it is known before the run.
type Input struct {
	Label   string        `json:"label"`
	Address addr.Addr     `json:"address"`
	Digest  digest.Digest `json:"digest,omitempty"`
}

// Estimate is the expected duration, from recorded runs.
type Estimate struct {
	SecondsP50 float64 `json:"seconds_p50"`
	SecondsP90 float64 `json:"seconds_p90"`
	Runs       int     `json:"runs"`
}

// Notifier is a notify block.
type Notifier struct {
	Address addr.Addr       `json:"address"`
	Type    string          `json:"type"`
	Config  json.RawMessage `json:"config"`
	On      []string        `json:"on"`
}

// Summary counts nodes by action; May and Cached count changes that are also counted under their action.
type Summary struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Recheck int `json:"recheck"`
	Delete  int `json:"delete"`
	Move    int `json:"move"`
	Import  int `json:"import,omitempty"`
	NoOp    int `json:"no_op"`
	May     int `json:"may"`
	Cached  int `json:"cached"`
}

// Encode returns the plan's canonical bytes: one line of JSON with a newline at its end. The plan's identity is the
// SHA-256 of exactly these bytes, which are also what a saved plan file holds.
func (p *Plan) Encode() ([]byte, error) {
	b, err := digest.Canonical(p)
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return append(b, '\n'), nil
}

// Digest returns the plan's identity.
func (p *Plan) Digest() digest.Digest {
	b, err := p.Encode()
	if err != nil {
		panic(err) // only plain data is in a plan
	}
	return digest.Bytes(b)
}

// Decode reads what Encode wrote. A plan of another format, or one that was edited, is refused.
func Decode(b []byte) (*Plan, error) {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var p Plan
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("this is not a plan that this version of pipe can read: %w", err)
	}
	if p.FormatVersion != FormatVersion {
		return nil, fmt.Errorf("the plan has format version %q, this version of pipe reads %q: plan again", p.FormatVersion, FormatVersion)
	}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == Import && c.Import == nil {
			return nil, fmt.Errorf("the plan imports %s and does not say what: plan again", c.Address)
		}
	}
	again, err := p.Encode()
	if err != nil {
		return nil, err
	}
	if string(again) != string(b) {
		return nil, fmt.Errorf("the plan file was changed after it was written: plan again")
	}
	return &p, nil
}

// HasChanges reports whether apply would do anything.
func (p *Plan) HasChanges() bool { return len(p.Changes) > 0 }

// Requested returns the nodes that the plan runs because somebody asked for it.
func (p *Plan) Requested() []addr.Addr {
	var list []addr.Addr
	for i := range p.Changes {
		if hasCode(p.Changes[i].Reasons, Requested) {
			list = append(list, p.Changes[i].Address)
		}
	}
	return list
}
