package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/check"
)

const short = `name: sample_canonical
required_columns: [timestamp, close, volume]
min_rows: 3
max_missing_rate: 0.0
column_ranges:
  close: [0.5, 2.0]
  volume: [100, 10000]
  rho_var_180: [0.0, 0.05]
  atr_ratio: [0.5, 2.5]
`

func TestShortSuite(t *testing.T) {
	list, err := check.ParseSuite("expectations.yaml", []byte(short))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Type+string(e.Args)+" "+string(e.Severity)+" "+e.Source)
	}
	want := `table_row_count_to_be_between{"min_value":3} error expectations.yaml:3
column_to_exist{"column":"timestamp"} error expectations.yaml:2
column_to_exist{"column":"close"} error expectations.yaml:2
column_to_exist{"column":"volume"} error expectations.yaml:2
column_values_to_be_between{"column":"close","max_value":2,"min_value":0.5} error expectations.yaml:6
column_values_to_be_between{"column":"volume","max_value":10000,"min_value":100} error expectations.yaml:7
column_values_to_be_between{"column":"rho_var_180","max_value":0.05,"min_value":0} error expectations.yaml:8
column_values_to_be_between{"column":"atr_ratio","max_value":2.5,"min_value":0.5} error expectations.yaml:9
column_values_to_not_be_null{"column":"timestamp"} error expectations.yaml:2
column_values_to_not_be_null{"column":"close"} error expectations.yaml:2
column_values_to_not_be_null{"column":"volume"} error expectations.yaml:2
column_values_to_not_be_null{"column":"rho_var_180"} error expectations.yaml:8
column_values_to_not_be_null{"column":"atr_ratio"} error expectations.yaml:9`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestLongSuiteAndDigest(t *testing.T) {
	a, err := check.ParseSuite("a.json", []byte(`{"expectation_suite_name": "x", "expectations": [
	  {"expectation_type": "expect_column_values_to_be_between", "kwargs": {"column": "c", "min_value": 1, "max_value": 2.50}, "meta": {}},
	  {"type": "column_values_to_be_in_set", "kwargs": {"column": "c", "value_set": [1, 2]}, "severity": "warning"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := check.ParseSuite("b.yaml", []byte(`expectations:
- {type: column_values_to_be_between, kwargs: {min_value: 1.0, column: c, max_value: 2.5}}
- {type: column_values_to_be_in_set, kwargs: {column: c, value_set: [1, 2]}, severity: warn}
`))
	if err != nil {
		t.Fatal(err)
	}
	if check.Digest(a) != check.Digest(b) {
		t.Errorf("the same expectations have two digests:\n%+v\n%+v", a, b)
	}
	if a[1].Severity != check.Warn || a[1].Severity.Blocks() {
		t.Errorf("severity %q", a[1].Severity)
	}
}

func TestBadSuites(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "s.yaml is empty: it must hold a suite of expectations",
		"- 1":                             "s.yaml:1:1: a suite is a map of settings, such as min_rows: 3",
		"min_row: 3":                      `s.yaml:1:1: a suite has no setting "min_row". Did you mean "min_rows"?`,
		"min_rows: many":                  "s.yaml:1:11: min_value: a number is required",
		"min_rows: -1":                    "s.yaml:1:11: min_value counts, so it must be a whole number of at least 0, not -1",
		"column_ranges:\n  close: [2, 1]": "s.yaml:2:11: no value can be between min_value 2 and max_value 1",
		"column_ranges:\n  close: 2":      "s.yaml:2:10: the range of close must be [least, greatest]",
		"required_columns: [a]\nmax_missing_rate: 2":                                             `s.yaml:2:19: max_missing_rate is a share and must lie between 0 and 1, not be "2"`,
		"expectations: [{type: column_values_to_be_nul, kwargs: {column: a}}]":                   `s.yaml:1:23: there is no expectation "column_values_to_be_nul". Did you mean "column_values_to_be_null"?`,
		"expectations: [{type: column_to_exist, kwargs: {col: a}}]":                              `s.yaml:1:54: column_to_exist has no argument "col".`,
		"expectations: [{type: column_to_exist}]":                                                `s.yaml:1:23: column_to_exist needs the argument "column"`,
		"expectations: [{type: column_values_to_be_in_set, kwargs: {column: a, value_set: []}}]": "s.yaml:1:82: value_set is empty, so the expectation says nothing: list at least one value",
	} {
		_, err := check.ParseSuite("s.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestEveryDefinitionDecodes(t *testing.T) {
	for _, name := range check.Names() {
		d, ok := check.Lookup(name)
		if !ok || d.Schema.Doc == "" {
			t.Fatalf("%s has no definition or no text", name)
		}
		if _, ok := check.Lookup("expect_" + name); !ok {
			t.Errorf("expect_%s is not understood", name)
		}
		for _, a := range d.Schema.Attrs {
			if a.Doc == "" {
				t.Errorf("%s.%s has no text", name, a.Name)
			}
		}
		_ = d.Schema.Spec()
	}
}

func TestMetrics(t *testing.T) {
	list, err := check.ParseSuite("m", []byte(`expectations: [{type: metric_to_be_between, kwargs: {metric: sharpe, min_value: 1.2, strict_min: true}}]`))
	if err != nil {
		t.Fatal(err)
	}
	for value, ok := range map[float64]bool{1.2: false, 1.2000001: true, -1: false} {
		if r := check.EvaluateMetric(list[0], map[string]float64{"sharpe": value}); r.Success != ok {
			t.Errorf("%v: %s", value, r.Message)
		}
	}
	r := check.EvaluateMetric(list[0], map[string]float64{"auc": 1, "brier": 2})
	if r.Success || r.Message != `metric_to_be_between(sharpe, > 1.2) could not be evaluated: no metric is called "sharpe"; there are auc, brier` {
		t.Errorf("%+v", r)
	}
}

func TestDecodeRefuses(t *testing.T) {
	d, _ := check.Lookup("column_values_to_be_between")
	attrs := map[string]cty.Value{}
	for _, a := range d.Schema.Attrs {
		attrs[a.Name] = cty.NullVal(a.Type)
	}
	attrs["column"] = cty.StringVal("c")
	if _, err := check.DecodeExpectation(d.Name, cty.ObjectVal(attrs)); err == nil || !strings.Contains(err.Error(), "always holds") {
		t.Errorf("no bounds: %v", err)
	}
	attrs["min_value"], attrs["mostly"] = cty.NumberIntVal(1), cty.NumberFloatVal(1.5)
	if _, err := check.DecodeExpectation(d.Name, cty.ObjectVal(attrs)); err == nil || !strings.Contains(err.Error(), "between 0 and 1") {
		t.Errorf("mostly: %v", err)
	}
}

func FuzzParseSuite(f *testing.F) {
	f.Add([]byte(short))
	f.Add([]byte(`{"expectations":[{"type":"column_to_exist","kwargs":{"column":"a"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := check.ParseSuite("f", data)
		if err == nil {
			check.Digest(list)
		}
	})
}

func TestReadSuite(t *testing.T) {
	if _, err := check.ReadSuite(filepath.Join(t.TempDir(), "none.yaml"), "none.yaml"); err == nil || err.Error() != "the suite none.yaml can't be read: no such file or directory" {
		t.Errorf("%v", err)
	}
	p := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(p, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := check.ReadSuite(p, "s.yaml"); err != nil || len(list) != 13 {
		t.Errorf("%d, %v", len(list), err)
	}
}
