package plan

import (
	"encoding/json"

	"pipe/engine/addr"
)

// Code says why a node changes.
type Code string

// The codes of reasons.
const (
	New                Code = "new"
	ConfigChanged      Code = "config_changed"
	InputChanged       Code = "input_changed"
	InputPending       Code = "input_pending"
	TypeChanged        Code = "type_changed"
	ArtifactMissing    Code = "artifact_missing"
	Drifted            Code = "drifted"
	ExpectationAdded   Code = "expectation_added"
	ExpectationChanged Code = "expectation_changed"
	ExpectationRemoved Code = "expectation_removed"
	Requested          Code = "requested"
	Removed            Code = "removed"
	Moved              Code = "moved"
	PreviousFailure    Code = "previous_failure"
)

// Reason is one cause of a change. Path names an attribute (config_changed), a file (drifted) or an expectation; Input and
// Address an upstream. Before and After are JSON values: of the attribute, or digests.
type Reason struct {
	Code    Code            `json:"code"`
	Path    string          `json:"path,omitempty"`
	Input   string          `json:"input,omitempty"`
	Address addr.Addr       `json:"address,omitzero"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
	Detail  string          `json:"detail,omitempty"`
}
