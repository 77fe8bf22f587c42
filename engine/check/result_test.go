package check_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pipe/engine/check"
)

func one(t *testing.T, name, kwargs string) (check.Expectation, check.Args) {
	t.Helper()
	list, err := check.ParseSuite("s", []byte(fmt.Sprintf(`{"expectations":[{"type":%q,"kwargs":%s}]}`, name, kwargs)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := check.ParseArgs(list[0])
	if err != nil {
		t.Fatal(err)
	}
	return list[0], a
}

// TestHolds compares observed values with bounds: exactly for numbers, in time for moments, by bytes for texts.
func TestHolds(t *testing.T) {
	noon := time.Date(2025, 1, 1, 12, 0, 0, 500, time.UTC)
	for _, tt := range []struct {
		kwargs string
		value  any
		ok     bool
	}{
		{`{"column":"c","min_value":0.1,"max_value":0.1}`, 0.1, true},
		{`{"column":"c","min_value":0.1,"max_value":0.1}`, json.Number("0.10"), true},
		{`{"column":"c","min_value":0.1}`, json.Number("0.0999999999999999999"), false},
		{`{"column":"c","max_value":9007199254740992}`, int64(9007199254740993), false},
		{`{"column":"c","max_value":9007199254740993}`, int64(9007199254740993), true},
		{`{"column":"c","max_value":170141183460469231731687303715884105726}`, json.Number("170141183460469231731687303715884105727"), false},
		{`{"column":"c","min_value":1,"strict_min":true}`, 1.0, false},
		{`{"column":"c","max_value":1,"strict_max":true}`, int64(1), false},
		{`{"column":"c","min_value":0}`, math.NaN(), false},
		{`{"column":"c","min_value":0}`, math.Inf(1), true},
		{`{"column":"c","max_value":0}`, math.Inf(1), false},
		{`{"column":"c","max_value":0}`, math.Inf(-1), true},
		{`{"column":"c","min_value":"2025-01-01","max_value":"2025-01-01T21:00:00.0000005+09:00"}`, noon, true},
		{`{"column":"c","max_value":"2025-01-01T12:00:00Z"}`, noon, false},
		{`{"column":"c","min_value":"2025-01-01 12:00","strict_min":true}`, noon, true},
		{`{"column":"c","min_value":"b"}`, "B", false},
		{`{"column":"c","min_value":"b","max_value":"c"}`, "bb", true},
	} {
		e, a := one(t, "column_max_to_be_between", tt.kwargs)
		if ok, err := a.Holds(tt.value); err != nil || ok != tt.ok {
			t.Errorf("%s: %v: %v, %v", tt.kwargs, tt.value, ok, err)
		}
		r := check.Observed(e, a, tt.value)
		if b, err := json.Marshal(r); err != nil || r.Success != tt.ok {
			t.Errorf("%s: %s, %v", tt.kwargs, b, err)
		}
	}
	for kwargs, value := range map[string]any{`{"column":"c","min_value":"b"}`: 1.0, `{"column":"c","min_value":1}`: "x", `{"column":"c","min_value":"soon"}`: noon} {
		e, a := one(t, "column_max_to_be_between", kwargs)
		if r := check.Observed(e, a, value); r.Success || r.Exception == "" {
			t.Errorf("%s: %v: %+v", kwargs, value, r)
		}
	}
}

// TestMapTable holds the semantics of row-by-row expectations: nulls outside of the denominator, no tolerance, nothing
// considered is a success.
func TestMapTable(t *testing.T) {
	for _, tt := range []struct {
		mostly                    string
		rows, missing, unexpected int64
		ok                        bool
		percent, total, missed    any
		message                   string
	}{
		{"1", 57600, 0, 3, false, 100 * 3.0 / 57600, 100 * 3.0 / 57600, 0.0, "3 of 57,600 rows are unexpected (0.00521%)"},
		{"0.999", 1000, 0, 1, true, 0.1, 0.1, 0.0, "1 of 1,000 rows is unexpected (0.1%), 0.1% allowed"},
		{"0.999", 999, 0, 1, false, 100.0 / 999, 100.0 / 999, 0.0, "1 of 999 rows is unexpected (0.1%), 0.1% allowed"},
		{"0.5", 10, 8, 1, true, 50.0, 10.0, 80.0, "1 of 2 rows is unexpected (50%), 50% allowed"},
		{"1", 10, 10, 0, true, nil, 0.0, 100.0, "0 of 0 rows are unexpected"},
		{"1", 0, 0, 0, true, nil, nil, nil, "0 of 0 rows are unexpected"},
		{"0", 10, 0, 10, true, 100.0, 100.0, 0.0, "10 of 10 rows are unexpected (100%), 100% allowed"},
		{"0.9999", 10000, 0, 9999, false, 99.99, 99.99, 0.0, "9,999 of 10,000 rows are unexpected (99.99%), 0.01% allowed"},
		{"1", 10_000_000, 0, 1, false, 1e-5, 1e-5, 0.0, "1 of 10,000,000 rows is unexpected (0.00001%)"},
	} {
		e, a := one(t, "column_values_to_be_unique", `{"column":"c","mostly":`+tt.mostly+`}`)
		r := check.Map(e, a, tt.rows, tt.missing, tt.unexpected)
		if r.Success != tt.ok || r.Message != "column_values_to_be_unique(c): "+tt.message {
			t.Errorf("%+v: %v, %q", tt, r.Success, r.Message)
		}
		for i, p := range []*float64{r.UnexpectedPercent, r.UnexpectedPercentTotal, r.MissingPercent} {
			want := []any{tt.percent, tt.total, tt.missed}[i]
			if (p == nil) != (want == nil) || (p != nil && math.Abs(*p-want.(float64)) > 1e-12) {
				t.Errorf("%+v: percentage %d is %v, want %v", tt, i, p, want)
			}
		}
	}
}

func TestEvaluateMetrics(t *testing.T) {
	m, _ := one(t, "metric_to_be_between", `{"metric":"sharpe","min_value":1.2}`)
	c, _ := one(t, "column_to_exist", `{"column":"a"}`)
	r := check.EvaluateMetrics([]check.Expectation{m, c}, map[string]float64{"sharpe": 1.5})
	if !r[0].Success || r[0].ObservedValue != 1.5 || r[1].Success || r[1].Exception == "" {
		t.Errorf("%+v", r)
	}
	if r := check.EvaluateMetric(m, map[string]float64{"sharpe": math.NaN()}); r.Success || r.ObservedValue != "NaN" {
		t.Errorf("NaN: %+v", r)
	}
}

// TestMessagesAreOneLine: names come from files that others write.
func TestMessagesAreOneLine(t *testing.T) {
	e, a := one(t, "column_to_exist", `{"column":"a\nb"}`)
	if s := check.About(e, a); s != `column_to_exist("a\nb")` {
		t.Error(s)
	}
	e, a = one(t, "column_to_exist", `{"column":"a\n\"b\\"}`)
	if s := check.About(e, a); strings.Contains(s, "\n") {
		t.Error(s)
	}
}

// TestDigestIgnoresSpelling: the source and arguments that say nothing are no part of an expectation.
func TestDigestIgnoresSpelling(t *testing.T) {
	a, _ := one(t, "column_values_to_be_between", `{"column":"c","min_value":1}`)
	b, _ := one(t, "expect_column_values_to_be_between", `{"mostly":1.0,"min_value":1.00,"strict_min":false,"max_value":null,"column":"c"}`)
	b.Source = "elsewhere:9"
	if x, y := check.Digest([]check.Expectation{a}), check.Digest([]check.Expectation{b}); x != y {
		t.Errorf("%s and %s", a.Args, b.Args)
	}
	for _, tt := range []struct{ name, plain, spelled string }{
		{"column_values_to_be_increasing", `{"column":"c"}`, `{"column":"c","strictly":false}`},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"a","column_B":"b"}`, `{"column_A":"a","column_B":"b","or_equal":false,"mostly":1}`},
		{"table_columns_to_match_set", `{"column_set":["a"]}`, `{"column_set":["a"],"exact_match":true}`},
	} {
		x, _ := one(t, tt.name, tt.plain)
		y, _ := one(t, tt.name, tt.spelled)
		if string(x.Args) != string(y.Args) {
			t.Errorf("%s and %s", x.Args, y.Args)
		}
	}
	b, _ = one(t, "column_values_to_be_between", `{"column":"c","min_value":1,"strict_min":true}`)
	if check.Digest([]check.Expectation{a}) == check.Digest([]check.Expectation{b}) {
		t.Error("strict_min is not in the digest")
	}
}
