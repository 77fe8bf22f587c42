package check

import (
	"context"
	"encoding/json"

	"pipe/engine/digest"
)

// Severity says what a failed expectation means.
type Severity string

// Error and Critical stop what is below the node and every publish; Warn and Info are reported only.
const (
	Info     Severity = "info"
	Warn     Severity = "warn"
	Error    Severity = "error"
	Critical Severity = "critical"
)

// Blocks reports whether a failure of this severity stops a publish.
func (s Severity) Blocks() bool { return s == Error || s == Critical }

// Expectation is one assertion on an artifact, in canonical form.
type Expectation struct {
	Type     string          `json:"type"`
	Args     json.RawMessage `json:"args"` // canonical JSON object of the arguments given, with defaults; no nulls
	Severity Severity        `json:"severity"`
	Source   string          `json:"-"` // file:line, for messages; never part of the digest
}

// Digest names a list of expectations in their order. It is "" for an empty list.
func Digest(list []Expectation) digest.Digest {
	if len(list) == 0 {
		return ""
	}
	return digest.JSON(list)
}

// Result is the outcome of one expectation; counts are rows.
type Result struct {
	Type     string          `json:"type"`
	Args     json.RawMessage `json:"args"`
	Severity Severity        `json:"severity"`
	Success  bool            `json:"success"`
	// Message is one line for people: what was expected and what was found.
	Message string `json:"message"`
	// Exception is set when the expectation could not be evaluated, such as on a column that is not there.
	Exception string `json:"exception,omitempty"`

	ObservedValue any `json:"observed_value,omitempty"` // aggregates, tables and metrics

	// Column map expectations only.
	ElementCount           *int64   `json:"element_count,omitempty"`
	MissingCount           *int64   `json:"missing_count,omitempty"`
	MissingPercent         *float64 `json:"missing_percent,omitempty"`
	UnexpectedCount        *int64   `json:"unexpected_count,omitempty"`
	UnexpectedPercent      *float64 `json:"unexpected_percent,omitempty"` // of the non-missing
	UnexpectedPercentTotal *float64 `json:"unexpected_percent_total,omitempty"`
	PartialUnexpectedList  []any    `json:"partial_unexpected_list,omitempty"`
	PartialUnexpectedRows  []Row    `json:"partial_unexpected_rows,omitempty"` // whole rows, at most MaxRows
}

// Row is one failing row: its number (from 1) in the table and its values by column.
type Row struct {
	Number  int64    `json:"number"`
	Columns []string `json:"columns"`
	Values  []any    `json:"values"`
}

// MaxRows is how many failing rows a result keeps.
const MaxRows = 20

// Subject is what expectations are evaluated on.
type Subject struct {
	Table   string             // absolute path of the table: .json, .ndjson, .csv, .parquet, also with .gz; "" if there is none
	Metrics map[string]float64 // for metric_to_be_between
}

// Evaluator evaluates expectations. An expectation that cannot be evaluated gives a Result with an Exception; the error
// is for failures that concern all of them, such as a table that cannot be read.
type Evaluator interface {
	Evaluate(ctx context.Context, subject Subject, list []Expectation) ([]Result, error)
}

// Failed returns the results that failed with a severity that blocks.
func Failed(results []Result) []Result {
	var failed []Result
	for _, r := range results {
		if !r.Success && r.Severity.Blocks() {
			failed = append(failed, r)
		}
	}
	return failed
}
