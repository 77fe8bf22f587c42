package state

import (
	"encoding/json"
	"errors"
	"time"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/digest"
)

// Errors of stores.
var (
	ErrLocked  = errors.New("the state is locked")
	ErrStale   = errors.New("the state has changed")
	ErrLost    = errors.New("the lease on the state was lost")
	ErrDamaged = errors.New("the state is damaged")
)

// FormatVersion is the version of the state's JSON form.
const FormatVersion = 1

// Snapshot is all that is remembered of one pipeline in one environment.
type Snapshot struct {
	FormatVersion int                    `json:"format_version"`
	Pipeline      string                 `json:"pipeline"`
	Environment   string                 `json:"environment"`
	Lineage       string                 `json:"lineage"` // random, given at the first write; "" before
	Serial        int64                  `json:"serial"`  // raised by one with every write
	AuditHead     digest.Digest          `json:"audit_head,omitempty"`
	LastRun       *Run                   `json:"last_run,omitempty"`
	Approval      json.RawMessage        `json:"approval,omitempty"` // the policy of the plan that was applied last
	Entries       map[addr.Addr]*Entry   `json:"entries"`
	Failures      map[addr.Addr]*Failure `json:"failures,omitempty"`
}

// Run is one apply.
type Run struct {
	ID             string        `json:"id"`
	PlanDigest     digest.Digest `json:"plan_digest"`
	Started        time.Time     `json:"started"`
	Finished       *time.Time    `json:"finished,omitempty"`
	Outcome        string        `json:"outcome"` // running, succeeded, failed, interrupted
	Actor          string        `json:"actor"`   // user@host
	SourceRevision string        `json:"source_revision,omitempty"`
}

// Entry is the record of a node's last success.
type Entry struct {
	Address      addr.Addr       `json:"address"`
	Type         string          `json:"type"`
	Fingerprint  Fingerprint     `json:"fingerprint"`
	Artifact     digest.Digest   `json:"artifact"`
	Info         artifact.Info   `json:"info"`
	Bytes        int64           `json:"bytes"`
	Inputs       []InputRef      `json:"inputs,omitempty"`     // where the inputs came from, for delete order
	DependsOn    []addr.Addr     `json:"depends_on,omitempty"` // edges without data
	Config       json.RawMessage `json:"config"`               // what the runner was decoded from, for its removal
	Checks       Checks          `json:"checks"`
	To           string          `json:"to,omitempty"`           // as written in the plan file
	Materialized []Materialized  `json:"materialized,omitempty"` // files put at To
	Protected    bool            `json:"prevent_destroy,omitempty"`
	Run          Provenance      `json:"run"`
	History      []Sample        `json:"history,omitempty"` // newest last, at most MaxHistory
}

// MaxHistory is how many durations an entry remembers.
const MaxHistory = 20

// Sample is one measured run of a node.
type Sample struct {
	Seconds    float64 `json:"seconds"`
	InputBytes int64   `json:"input_bytes"`
}

// InputRef says which node an input came from.
type InputRef struct {
	Label   string    `json:"label"`
	Address addr.Addr `json:"address"`
}

// Materialized is a file outside the store that holds an artifact's file.
type Materialized struct {
	Path string        `json:"path"` // relative to the working directory, or absolute if the plan file said so
	File artifact.File `json:"file"`
}

// Provenance says how an entry came to be.
type Provenance struct {
	ID             string        `json:"id"`
	PlanDigest     digest.Digest `json:"plan_digest"`
	At             time.Time     `json:"at"`
	By             string        `json:"by"`
	SourceRevision string        `json:"source_revision,omitempty"`
	Restored       bool          `json:"restored,omitempty"` // from the cache, not run
}

// Checks are the expectations that an artifact was checked against, and the outcome.
type Checks struct {
	Digest       digest.Digest       `json:"digest,omitempty"`
	Expectations []check.Expectation `json:"expectations,omitempty"`
	Results      []check.Result      `json:"results,omitempty"`
}

// Failure is the record of a node's last attempt, kept until it succeeds or goes away.
type Failure struct {
	Address     addr.Addr      `json:"address"`
	Fingerprint digest.Digest  `json:"fingerprint,omitempty"`
	Artifact    digest.Digest  `json:"artifact,omitempty"` // kept aside: what failed its expectations
	Error       string         `json:"error"`
	Results     []check.Result `json:"results,omitempty"`
	Run         Provenance     `json:"run"`
}

// New returns the empty snapshot.
func New(pipeline, environment string) *Snapshot {
	return &Snapshot{FormatVersion: FormatVersion, Pipeline: pipeline, Environment: environment,
		Entries: map[addr.Addr]*Entry{}, Failures: map[addr.Addr]*Failure{}}
}
