package check_test

import (
	"fmt"
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
		"min_rows: -1":                    "s.yaml:1:11: min_rows counts rows, so it must be a whole number of at least 0, not -1",
		"column_ranges:\n  close: [2, 1]": "s.yaml:2:11: no value can be between min_value 2 and max_value 1",
		"column_ranges:\n  close: 2":      "s.yaml:2:10: the range of close must be [least, greatest]",
		"required_columns: [a]\nmax_missing_rate: 2":                           `s.yaml:2:19: max_missing_rate is a share and must lie between 0 and 1, not be "2"`,
		"expectations: [{type: column_values_to_be_nul, kwargs: {column: a}}]": `s.yaml:1:23: there is no expectation "column_values_to_be_nul". Did you mean "column_values_to_be_null"?`,
		"expectations: [{type: column_to_exist, kwargs: {col: a}}]":            `s.yaml:1:54: column_to_exist has no argument "col": it has column. Did you mean "column"?`,
		"name: x":                                              "s.yaml:1:1: the suite holds no expectation, so everything would pass",
		"min_rows: 1\n---\nmin_rows: 3":                        "s.yaml:2:1: a second document begins here",
		"min_rows: 5\nmax_rows: 3":                             "s.yaml:2:11: max_rows is less than min_rows",
		"min_rows: 1.5":                                        "s.yaml:1:11: min_rows counts rows, so it must be a whole number of at least 0, not 1.5",
		"min_rows: 1\nmin_rows: 2":                             "s.yaml:2:1: min_rows stands here twice",
		"min_rows: 1\na: b: c":                                 "s.yaml:2: mapping values are not allowed",
		"max_missing_rate: 0.1":                                "s.yaml:1:19: max_missing_rate needs required_columns or column_ranges",
		"required_columns: [a, a]":                             "s.yaml:1:23: the column a stands here twice",
		"required_columns: [[a]]":                              "s.yaml:1:20: the name of a column must stand here",
		"column_ranges: {a: [null, null]}":                     "s.yaml:1:21: an expectation without min_value and max_value always holds",
		"column_ranges: {a: [.inf, 2]}":                        "s.yaml:1:21: min_value: .inf is not a finite number",
		"? [a]\n: 1":                                           "s.yaml:1:3: a key must be a plain name",
		"expectations: {a: 1}":                                 "s.yaml:1:15: expectations must be a list",
		"expectations: [1]":                                    "s.yaml:1:16: an expectation is a map with type and kwargs",
		"expectations: [{kwargs: {}}]":                         "s.yaml:1:16: the expectation has no type",
		"expectations: [{type: column_to_exist, kwargs: [a]}]": "s.yaml:1:48: kwargs must be a map of arguments",
		"expectations: [{type: column_to_exist, column: a}]":   `s.yaml:1:40: an expectation has no setting "column": its arguments stand below kwargs.`,
		"expectations: [{type: column_to_exist, kwargs: {column: a, column: b}}]":                                                                 "s.yaml:1:60: column stands here twice",
		"expectations: [{type: column_to_exist, severity: fatal, kwargs: {column: a}}]":                                                           `s.yaml:1:50: "fatal" is no severity: use one of info, warn, error, critical`,
		"expectations: [{type: column_to_exist, kwargs: {column: ''}}]":                                                                           "s.yaml:1:57: column is empty",
		"expectations: [{type: column_values_to_be_unique, kwargs: {column: a, row_condition: 'x > 1'}}]":                                         "s.yaml:1:71: row_condition is not supported",
		"expectations: [{type: column_max_to_be_between, kwargs: {column: a, min_value: {$PARAMETER: x}}}]":                                       "s.yaml:1:80: min_value: parameters of a suite are not supported",
		"expectations: [{type: column_values_to_match_regex, kwargs: {column: a, regex: '('}}]":                                                   "s.yaml:1:80: the regular expression can't be read",
		"expectations: [{type: column_values_to_match_regex, kwargs: {column: a, regex: ''}}]":                                                    "s.yaml:1:80: the regular expression is empty",
		"expectations: [{type: column_values_to_be_in_set, kwargs: {column: a, value_set: [[1]]}}]":                                               "s.yaml:1:82: value_set: a list may hold numbers",
		"expectations: [{type: column_values_to_be_in_set, kwargs: {column: a, value_set: x}}]":                                                   "s.yaml:1:82: value_set must be a list",
		"expectations: [{type: column_values_to_be_between, kwargs: {column: a, min_value: true}}]":                                               "s.yaml:1:83: a bound must be a number, a date or a text, not bool",
		"expectations: [{type: column_values_to_be_between, kwargs: {column: a, min_value: 1, max_value: b}}]":                                    "s.yaml:1:97: min_value is a number and max_value a string",
		"expectations: [{type: column_values_to_be_between, kwargs: {column: a, min_value: 1, mostly: 1.1}}]":                                     "s.yaml:1:94: mostly is a share and must lie between 0 and 1, not be 1.1",
		"expectations: [{type: column_mean_to_be_between, kwargs: {column: a, min_value: 2024-01-01}}]":                                           "s.yaml:1:81: min_value: a number is required",
		"expectations: [{type: column_proportion_of_unique_values_to_be_between, kwargs: {column: a, min_value: 2}}]":                             "s.yaml:1:104: the value is at most 1, so it can't be at least 2",
		"expectations: [{type: column_stdev_to_be_between, kwargs: {column: a, max_value: -1}}]":                                                  "s.yaml:1:82: the value is at least 0, so it can't be at most -1",
		"expectations: [{type: column_pair_values_a_to_be_greater_than_b, kwargs: {column_A: a, column_B: a}}]":                                   `s.yaml:1:98: column_A and column_B are both "a"`,
		"expectations: [{type: compound_columns_to_be_unique, kwargs: {column_list: [a, b, a]}}]":                                                 `s.yaml:1:76: column_list names "a" twice`,
		"expectations: [{type: table_row_count_to_equal, kwargs: {value: 99999999999999999999}}]":                                                 "s.yaml:1:65: value counts, and 1e+20 is more than can be counted",
		"expectations: [{type: column_values_to_be_between, kwargs: {column: a, min_value: 1, max_value: 1, strict_min: true}}]":                  "s.yaml:1:83: no value can be between min_value 1 and max_value 1",
		"expectations: [{type: column_values_to_be_between, kwargs: {column: a, min_value: 2025-02-01, max_value: '2025-02-01T08:00:00+09:00'}}]": `s.yaml:1:83: no value can be between min_value "2025-02-01" and max_value "2025-02-01T08:00:00+09:00"`,
		"expectations: [{type: column_to_exist}]":                                                                                                 `s.yaml:1:23: column_to_exist needs the argument "column"`,
		"expectations: [{type: column_values_to_be_in_set, kwargs: {column: a, value_set: []}}]":                                                  "s.yaml:1:82: value_set is empty, so the expectation says nothing: list at least one value",
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

// TestForeignSuite reads a suite as Great Expectations writes it, with what changes no outcome, and tabs.
func TestForeignSuite(t *testing.T) {
	list, err := check.ParseSuite("gx.json", []byte(`{
	"name": "bars", "id": "0", "meta": {"great_expectations_version": "1.2.0"}, "notes": null, "suite_parameters": {},
	"expectations": [
		{"type": "expect_column_values_to_be_between", "id": "1", "meta": {}, "rendered_content": [{"a": 1}], "severity": "critical",
		 "kwargs": {"column": "close", "min_value": 0.5, "max_value": null, "strict_min": false, "mostly": 1.0, "row_condition": null,
		            "condition_parser": null, "result_format": "BASIC", "catch_exceptions": false, "batch_id": "b"}},
		{"expectation_type": "expect_column_pair_values_A_to_be_greater_than_B", "severity": "warning",
		 "kwargs": {"column_A": "high", "column_B": "low", "ignore_row_if": "both_values_are_missing", "or_equal": true}},
		{"type": "expect_column_max_to_be_between", "kwargs": {"column": "at", "max_value": "2025-02-01"}}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprintf("%s%s %s %s", e.Type, e.Args, e.Severity, e.Source))
	}
	want := `column_values_to_be_between{"column":"close","min_value":0.5} critical gx.json:4
column_pair_values_a_to_be_greater_than_b{"column_A":"high","column_B":"low","or_equal":true} warn gx.json:7
column_max_to_be_between{"column":"at","max_value":"2025-02-01"} error gx.json:9`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// TestMissingRateIsDecimal: in binary, 1 - 0.7 is more than 0.3.
func TestMissingRateIsDecimal(t *testing.T) {
	for rate, mostly := range map[string]string{"0.7": "0.3", "0.1": "0.9", "0.0000001": "0.9999999", "1": "0"} {
		list, err := check.ParseSuite("s", []byte("required_columns: [a]\nmax_missing_rate: "+rate))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(list[1].Args), `{"column":"a","mostly":`+mostly+`}`; got != want {
			t.Errorf("max_missing_rate %s: %s, want %s", rate, got, want)
		}
		a, _ := check.ParseArgs(list[1])
		if rate == "0.7" && !check.Map(list[1], a, 10, 0, 7).Success {
			t.Error("7 of 10 may be missing")
		}
	}
}

// TestBoundsInOtherZones: as texts these bounds are in the wrong order, as moments they are not.
func TestBoundsInOtherZones(t *testing.T) {
	_, err := check.ParseSuite("s", []byte("column_ranges: {at: ['2025-01-01T12:00:00+09:00', '2025-01-01T04:00:00Z'], n: [1, 1]}"))
	if err != nil {
		t.Error(err)
	}
}

func TestAliases(t *testing.T) {
	list, err := check.ParseSuite("s", []byte("column_ranges: {a: &r [1, 2], b: *r}\nmax_rows: 4\nmin_rows: 2"))
	if err != nil || len(list) != 3 || string(list[2].Args) != `{"column":"b","max_value":2,"min_value":1}` ||
		string(list[0].Args) != `{"max_value":4,"min_value":2}` || list[0].Source != "s:3" {
		t.Errorf("%+v, %v", list, err)
	}
}

func FuzzParseSuite(f *testing.F) {
	f.Add([]byte(short))
	f.Add([]byte(`{"expectations":[{"type":"column_to_exist","kwargs":{"column":"a"}}]}`))
	f.Add([]byte("a: &a [*a]\nexpectations: [{type: column_values_to_be_in_set, kwargs: {column: x, value_set: *a}}]"))
	f.Add([]byte("expectations: [{type: column_values_to_be_between, severity: warning, kwargs: {column: x, min_value: 1e-9, max_value: 2020-01-01}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := check.ParseSuite("f", data)
		if err != nil {
			if list != nil || !strings.HasPrefix(err.Error(), "f") {
				t.Errorf("an error without a place, or with a list: %v", err)
			}
			return
		}
		for _, e := range list {
			a, err := check.ParseArgs(e)
			if err != nil || len(list) == 0 {
				t.Fatalf("%s: %v", e.Args, err)
			}
			if strings.ContainsAny(check.About(e, a), "\n\r") {
				t.Errorf("more than one line: %q", check.About(e, a))
			}
			if len(e.Args) > 100*len(data)+1000 {
				t.Errorf("%d bytes of arguments from %d bytes", len(e.Args), len(data))
			}
			_ = check.Aggregate(e, a, new(float64))
			_ = check.Map(e, a, 3, 1, 1)
		}
		check.Digest(list)
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
