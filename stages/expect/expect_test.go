package expect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pipe/engine/check"
	"pipe/stages/expect"
)

// exp makes an expectation from its name and arguments in JSON.
func exp(t testing.TB, name, args string) check.Expectation {
	t.Helper()
	list, err := check.ParseSuite("test", []byte(fmt.Sprintf(`{"expectations":[{"type":%q,"kwargs":%s}]}`, name, args)))
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func file(t testing.TB, name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func evaluate(t testing.TB, table string, list ...check.Expectation) []check.Result {
	t.Helper()
	results, err := expect.NewEvaluator().Evaluate(context.Background(), check.Subject{Table: table}, list)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

const small = `id,x,s,at,flag
1,10,aa,2025-01-01 00:00:00,true
2,,b,2025-01-01 01:00:00,true
3,30,,2025-01-01 02:00:00,false
4,20,aa,2025-01-01 03:00:00,
5,20,ccc,2025-01-01 04:00:00,true
`

func TestByHand(t *testing.T) {
	table := file(t, "small.csv", small)
	tests := []struct {
		name, args string
		ok         bool
		unexpected int64 // -1: not a row-by-row expectation
		missing    int64
		rows       []int64
	}{
		{"column_values_to_not_be_null", `{"column":"x"}`, false, 1, 0, []int64{2}},
		{"column_values_to_not_be_null", `{"column":"x","mostly":0.8}`, true, 1, 0, []int64{2}},
		{"column_values_to_not_be_null", `{"column":"x","mostly":0.81}`, false, 1, 0, []int64{2}},
		{"column_values_to_be_null", `{"column":"x"}`, false, 4, 0, []int64{1, 3, 4, 5}},
		{"column_values_to_be_between", `{"column":"x","min_value":10,"max_value":20}`, false, 1, 1, []int64{3}},
		{"column_values_to_be_between", `{"column":"x","min_value":10,"strict_min":true}`, false, 1, 1, []int64{1}},
		{"column_values_to_be_between", `{"column":"x","min_value":10,"max_value":20,"mostly":0.75}`, true, 1, 1, []int64{3}},
		{"column_values_to_be_between", `{"column":"at","min_value":"2025-01-01T01:00:00Z","max_value":"2025-01-01T03:00:00Z"}`, false, 2, 0, []int64{1, 5}},
		{"column_values_to_be_between", `{"column":"s","min_value":"b"}`, false, 2, 1, []int64{1, 4}},
		{"column_values_to_be_in_set", `{"column":"s","value_set":["aa","b"]}`, false, 1, 1, []int64{5}},
		{"column_values_to_be_in_set", `{"column":"x","value_set":[10,20,30]}`, true, 0, 1, nil},
		{"column_values_to_not_be_in_set", `{"column":"x","value_set":[20]}`, false, 2, 1, []int64{4, 5}},
		{"column_values_to_be_unique", `{"column":"x"}`, false, 2, 1, []int64{4, 5}},
		{"column_values_to_be_unique", `{"column":"id"}`, true, 0, 0, nil},
		{"column_values_to_match_regex", `{"column":"s","regex":"a"}`, false, 2, 1, []int64{2, 5}},
		{"column_values_to_match_regex", `{"column":"s","regex":"^(aa|b|ccc)$"}`, true, 0, 1, nil},
		{"column_values_to_not_match_regex", `{"column":"s","regex":"c{3}"}`, false, 1, 1, []int64{5}},
		{"column_values_to_be_increasing", `{"column":"x"}`, false, 1, 1, []int64{4}},
		{"column_values_to_be_increasing", `{"column":"x","strictly":true}`, false, 2, 1, []int64{4, 5}},
		{"column_values_to_be_increasing", `{"column":"at","strictly":true}`, true, 0, 0, nil},
		{"column_values_to_be_decreasing", `{"column":"x"}`, false, 1, 1, []int64{3}},
		{"column_value_lengths_to_be_between", `{"column":"s","max_value":2}`, false, 1, 1, []int64{5}},
		{"column_min_to_be_between", `{"column":"x","min_value":10,"max_value":10}`, true, -1, 0, nil},
		{"column_max_to_be_between", `{"column":"x","max_value":29}`, false, -1, 0, nil},
		{"column_mean_to_be_between", `{"column":"x","min_value":20,"max_value":20}`, true, -1, 0, nil},
		{"column_median_to_be_between", `{"column":"x","min_value":20,"max_value":20}`, true, -1, 0, nil},
		{"column_sum_to_be_between", `{"column":"x","min_value":80,"max_value":80}`, true, -1, 0, nil},
		{"column_stdev_to_be_between", `{"column":"x","min_value":8.1649,"max_value":8.165}`, true, -1, 0, nil},
		{"column_unique_value_count_to_be_between", `{"column":"x","min_value":3,"max_value":3}`, true, -1, 0, nil},
		{"column_proportion_of_unique_values_to_be_between", `{"column":"x","min_value":0.75,"max_value":0.75}`, true, -1, 0, nil},
		{"column_to_exist", `{"column":"x"}`, true, -1, 0, nil},
		{"column_to_exist", `{"column":"X"}`, false, -1, 0, nil},
		{"table_row_count_to_be_between", `{"min_value":5,"max_value":5}`, true, -1, 0, nil},
		{"table_row_count_to_equal", `{"value":4}`, false, -1, 0, nil},
		{"table_column_count_to_be_between", `{"min_value":5,"max_value":5}`, true, -1, 0, nil},
		{"table_columns_to_match_set", `{"column_set":["x","id"]}`, false, -1, 0, nil},
		{"table_columns_to_match_set", `{"column_set":["x","id"],"exact_match":false}`, true, -1, 0, nil},
		{"table_columns_to_match_ordered_list", `{"column_list":["id","x","s","at","flag"]}`, true, -1, 0, nil},
		{"compound_columns_to_be_unique", `{"column_list":["x","s"]}`, true, 0, 0, nil},
		{"compound_columns_to_be_unique", `{"column_list":["flag","x"]}`, true, 0, 0, nil},
		{"compound_columns_to_be_unique", `{"column_list":["flag"]}`, false, 3, 1, []int64{1, 2, 5}},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"x","column_B":"id"}`, false, 1, 0, []int64{2}},
	}
	var list []check.Expectation
	for _, tt := range tests {
		list = append(list, exp(t, tt.name, tt.args))
	}
	for i, r := range evaluate(t, table, list...) {
		tt := tests[i]
		t.Run(tt.name+tt.args, func(t *testing.T) {
			if r.Exception != "" || r.Success != tt.ok {
				t.Fatalf("success %v, want %v: %s", r.Success, tt.ok, r.Message)
			}
			if tt.unexpected < 0 {
				return
			}
			if *r.UnexpectedCount != tt.unexpected || *r.MissingCount != tt.missing || *r.ElementCount != 5 {
				t.Errorf("unexpected %d, missing %d of %d; want %d, %d of 5", *r.UnexpectedCount, *r.MissingCount, *r.ElementCount, tt.unexpected, tt.missing)
			}
			var rows []int64
			for _, row := range r.PartialUnexpectedRows {
				rows = append(rows, row.Number)
			}
			if !reflect.DeepEqual(rows, tt.rows) {
				t.Errorf("failing rows %v, want %v", rows, tt.rows)
			}
		})
	}
}

func TestOneBrokenExpectationLeavesTheOthersAlone(t *testing.T) {
	table := file(t, "small.csv", small)
	r := evaluate(t, table,
		exp(t, "column_values_to_not_be_null", `{"column":"id"}`),
		exp(t, "column_values_to_not_be_null", `{"column":"idd"}`),
		exp(t, "column_values_to_match_regex", `{"column":"x","regex":"1"}`),
		exp(t, "column_values_to_be_between", `{"column":"at","min_value":"yesterday"}`),
		exp(t, "column_values_to_be_in_set", `{"column":"x","value_set":["ten"]}`),
		exp(t, "column_mean_to_be_between", `{"column":"s","min_value":1}`),
		exp(t, "column_values_to_be_unique", `{"column":"id"}`))
	for i, broken := range []bool{false, true, true, true, true, true, false} {
		if (r[i].Exception != "") != broken || r[i].Success == broken {
			t.Errorf("%d: %+v", i, r[i].Message)
		}
		if strings.Contains(r[i].Message, "\n") {
			t.Errorf("%d: a message of more than one line: %q", i, r[i].Message)
		}
	}
	want := `column_values_to_not_be_null(idd) could not be evaluated: the table has no column "idd"; it has id, x, s, at, flag. Did you mean "id"?`
	if r[1].Message != want {
		t.Errorf("message\n%s\nwant\n%s", r[1].Message, want)
	}
}

func TestEmptyColumnsAndNoTable(t *testing.T) {
	table := file(t, "empty.ndjson", `{"a":null,"b":1}`+"\n"+`{"a":null,"b":2}`+"\n")
	r := evaluate(t, table, exp(t, "column_values_to_be_unique", `{"column":"a"}`), exp(t, "column_sum_to_be_between", `{"column":"b","min_value":3}`))
	if !r[0].Success || !r[1].Success {
		t.Errorf("%+v", r)
	}
	r = evaluate(t, "", exp(t, "column_to_exist", `{"column":"a"}`), exp(t, "metric_to_be_between", `{"metric":"sharpe","min_value":1}`))
	if r[0].Success || r[0].Exception == "" || r[1].Success || r[1].Exception == "" {
		t.Errorf("%+v", r)
	}
}
