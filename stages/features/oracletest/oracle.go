package oracletest

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"testing"
)

const python = "/usr/bin/python3"

// prelude gives scripts `arg` (the decoded input) and `reply(dict)`; null stands for a missing number both ways.
const prelude = `
import sys, json, math
import numpy as np
import pandas as pd
def _in(v):
    if isinstance(v, list) and v and all(x is None or isinstance(x, (int, float)) for x in v):
        return np.array([np.nan if x is None else x for x in v], dtype=float)
    if isinstance(v, list):
        return [_in(x) for x in v]
    if isinstance(v, dict):
        return {k: _in(x) for k, x in v.items()}
    return v
def _out(v):
    if isinstance(v, (pd.Series, np.ndarray)):
        return [_out(x) for x in np.asarray(v).tolist()]
    if isinstance(v, (list, tuple)):
        return [_out(x) for x in v]
    if isinstance(v, dict):
        return {k: _out(x) for k, x in v.items()}
    if isinstance(v, (float, np.floating)):
        return None if math.isnan(v) else float(v)
    if isinstance(v, np.integer):
        return int(v)
    return v
arg = _in(json.load(open(sys.argv[1])))
def reply(d):
    json.dump(_out(d), sys.stdout)
`

// Run executes a Python script with the input as `arg` and decodes what it passed to `reply` into out.
func Run(t testing.TB, script string, in, out any) {
	t.Helper()
	if os.Getenv("PIPE_TEST_NO_ORACLE") != "" {
		t.Skip("skipped: PIPE_TEST_NO_ORACLE is set, so the result is not compared with pandas and scikit-learn")
	}
	file, err := os.CreateTemp(t.TempDir(), "oracle-*.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(file).Encode(in); err != nil {
		t.Fatalf("encode the oracle's input: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(python, "-W", "ignore", "-c", prelude+script, file.Name())
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the oracle failed: %v\n%s\nIt needs Debian's python3-pandas and python3-sklearn "+
			"(apt-get install python3-pandas python3-sklearn); set PIPE_TEST_NO_ORACLE=1 to skip it.", err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("decode the oracle's reply: %v\n%.400s", err, stdout.String())
	}
}

// Series is a slice of numbers whose missing values travel as null.
type Series []float64

// MarshalJSON writes NaN as null.
func (s Series) MarshalJSON() ([]byte, error) {
	p := make([]*float64, len(s))
	for i := range s {
		if !math.IsNaN(s[i]) {
			p[i] = &s[i]
		}
	}
	return json.Marshal(p)
}

// UnmarshalJSON reads null as NaN.
func (s *Series) UnmarshalJSON(b []byte) error {
	var p []*float64
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = make(Series, len(p))
	for i, v := range p {
		(*s)[i] = math.NaN()
		if v != nil {
			(*s)[i] = *v
		}
	}
	return nil
}

// Same fails the test unless got and want agree everywhere: missing in the same places, and otherwise within a
// relative and absolute tolerance. At least one value must be present, so that an empty comparison can't pass.
func Same(t testing.TB, name string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, the oracle has %d", name, len(got), len(want))
		return
	}
	present := 0
	for i := range got {
		g, w := got[i], want[i]
		if math.IsNaN(g) != math.IsNaN(w) {
			t.Errorf("%s[%d] = %v, the oracle has %v", name, i, g, w)
			return
		}
		if math.IsNaN(g) {
			continue
		}
		present++
		if math.Abs(g-w) > tolerance*math.Max(1, math.Abs(w)) {
			t.Errorf("%s[%d] = %.17g, the oracle has %.17g", name, i, g, w)
			return
		}
	}
	if present == 0 {
		t.Errorf("%s: no value is present, so nothing was compared", name)
	}
}
