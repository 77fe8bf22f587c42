package stage

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"

	"pipe/engine/artifact"
)

// Input is one upstream artifact, laid out as files of their own names below Dir (read-only).
type Input struct {
	Label    string
	Artifact *artifact.Artifact
	Dir      string // absolute
}

// Path returns the absolute path of one of the artifact's files.
func (i Input) Path(file string) string { return filepath.Join(i.Dir, filepath.FromSlash(file)) }

// Table returns the absolute path of the artifact's table, or "" if it has none.
func (i Input) Table() string {
	if i.Artifact.Main == "" {
		return ""
	}
	return i.Path(i.Artifact.Main)
}

// Inputs are the upstream artifacts of a node, in the order of their labels.
type Inputs []Input

// Get returns the input with that label.
func (in Inputs) Get(label string) (Input, error) {
	for _, i := range in {
		if i.Label == label {
			return i, nil
		}
	}
	return Input{}, fmt.Errorf("there is no input %q", label)
}

// Group returns the input called name and those called name[…], in order.
func (in Inputs) Group(name string) Inputs {
	var group Inputs
	for _, i := range in {
		if i.Label == name || strings.HasPrefix(i.Label, name+"[") {
			group = append(group, i)
		}
	}
	return group
}

// Output is where a runner leaves its result: all regular files below Dir become the artifact.
type Output struct {
	Dir      string                  // absolute, empty at the start
	Progress func(done, total int64) // optional: rows or bytes; total 0 if unknown; may be called from any goroutine
	mu       sync.Mutex
	info     artifact.Info
}

// Path returns the absolute path for an output file, name being relative and slash-separated.
func (o *Output) Path(name string) string { return filepath.Join(o.Dir, filepath.FromSlash(name)) }

// Table says which file holds the artifact's table (json, ndjson, csv or parquet by its ending), and its rows.
func (o *Output) Table(name string, rows int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.info.Main, o.info.Rows = name, rows
}

// Metric adds a number that expectations and people look at. Values that are not finite are refused.
func (o *Output) Metric(name string, value float64) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Errorf("metric %s is not a finite number (%v)", name, value)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.info.Metrics == nil {
		o.info.Metrics = map[string]float64{}
	}
	o.info.Metrics[name] = value
	return nil
}

// Fact adds a short text about the artifact that nodes below may read, such as model_version.
func (o *Output) Fact(name, value string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.info.Facts == nil {
		o.info.Facts = map[string]string{}
	}
	o.info.Facts[name] = value
}

// Info returns what was said so far.
func (o *Output) Info() artifact.Info {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.info
}
