package apply

import (
	"time"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/digest"
)

// EventType says what happened.
type EventType string

// The events of a run, in the order in which they can come for one node.
const (
	RunStarted   EventType = "run_started"
	NodeStarted  EventType = "node_started"
	NodeProgress EventType = "node_progress"
	NodeRetry    EventType = "node_retry"   // an attempt failed; the next comes after Wait
	NodeChecked  EventType = "node_checked" // Results are there
	NodeFinished EventType = "node_finished"
	Notified     EventType = "notified" // Outcome delivered or failed
	Stopping     EventType = "stopping" // the first interrupt: no new node starts
	RunFinished  EventType = "run_finished"
)

// Outcome is how a node, or a run, ended.
type Outcome string

// The outcomes of nodes.
const (
	Ran       Outcome = "ran"
	Restored  Outcome = "restored"  // from the store, without a run
	Unchanged Outcome = "unchanged" // cut off: its inputs turned out as they were
	Rechecked Outcome = "rechecked"
	Moved     Outcome = "moved"
	Imported  Outcome = "imported"
	Forgotten Outcome = "forgotten" // the record was deleted, what is outside stays
	Deleted   Outcome = "deleted"
	Failed    Outcome = "failed"
	Rejected  Outcome = "rejected" // its expectations failed
	Skipped   Outcome = "skipped"  // something above it failed, or the run was stopped
)

// The outcomes of runs besides Failed.
const (
	Succeeded   Outcome = "succeeded"
	Interrupted Outcome = "interrupted"
)

// Event is one thing that happened in a run. It is also one line of `apply --json`.
type Event struct {
	Type     EventType          `json:"type"`
	At       time.Time          `json:"at"`
	Run      string             `json:"run"`
	Plan     digest.Digest      `json:"plan,omitempty"`
	Address  addr.Addr          `json:"address,omitzero"`
	Action   string             `json:"action,omitempty"`
	Outcome  Outcome            `json:"outcome,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`  // so far, or in all
	Estimate float64            `json:"estimate,omitempty"` // seconds, from earlier runs
	Done     int64              `json:"done,omitempty"`     // progress
	Total    int64              `json:"total,omitempty"`
	Rows     int64              `json:"rows,omitempty"`
	Bytes    int64              `json:"bytes,omitempty"`
	Attempt  int                `json:"attempt,omitempty"`
	Wait     float64            `json:"wait,omitempty"` // seconds until the next attempt
	Artifact digest.Digest      `json:"artifact,omitempty"`
	Results  []check.Result     `json:"results,omitempty"`
	Error    string             `json:"error,omitempty"`
	Cause    addr.Addr          `json:"cause,omitzero"` // of a skip: the node that failed
	Facts    map[string]string  `json:"facts,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
}

// Sink receives the events of a run, one at a time.
type Sink interface{ Event(Event) }

// Result is the outcome of a run.
type Result struct {
	Run     string        `json:"run"`
	Plan    digest.Digest `json:"plan"`
	Outcome Outcome       `json:"outcome"`
	Seconds float64       `json:"seconds"`
	Nodes   []NodeResult  `json:"nodes"` // in the plan's order
	// Warnings tell of what did not stop the run, such as a notification that could not be delivered.
	Warnings []string `json:"warnings,omitempty"`
}

// NodeResult is the outcome of one change.
type NodeResult struct {
	Address  addr.Addr      `json:"address"`
	Outcome  Outcome        `json:"outcome"`
	Seconds  float64        `json:"seconds"`
	Rows     int64          `json:"rows,omitempty"`
	Bytes    int64          `json:"bytes,omitempty"`
	Artifact digest.Digest  `json:"artifact,omitempty"`
	KeptAt   string         `json:"kept_at,omitempty"` // where a rejected artifact can be looked at
	Results  []check.Result `json:"results,omitempty"`
	Error    string         `json:"error,omitempty"`
	Cause    addr.Addr      `json:"cause,omitzero"`
	Stale    bool           `json:"stale,omitempty"` // what it read or pinned has changed since the plan was made
}

// Count returns how many nodes ended with one of the outcomes.
func (r *Result) Count(outcomes ...Outcome) int {
	n := 0
	for _, node := range r.Nodes {
		for _, o := range outcomes {
			if node.Outcome == o {
				n++
			}
		}
	}
	return n
}
