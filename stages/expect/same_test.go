package expect_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pipe/engine/check"
)

// TestFormats: one table, however it is written, gives one result.
func TestFormats(t *testing.T) {
	list := []check.Expectation{
		exp(t, "column_values_to_be_between", `{"column":"at","max_value":"2025-01-01T03:30:00Z"}`),
		exp(t, "column_values_to_be_increasing", `{"column":"at"}`),
		exp(t, "column_values_to_be_between", `{"column":"x","max_value":20}`),
		exp(t, "column_values_to_be_unique", `{"column":"x"}`),
		exp(t, "column_values_to_not_be_null", `{"column":"s"}`),
		exp(t, "column_mean_to_be_between", `{"column":"x","min_value":0}`),
		exp(t, "column_max_to_be_between", `{"column":"at","min_value":"2025-01-01"}`),
		exp(t, "column_values_to_be_in_set", `{"column":"flag","value_set":[true]}`),
		exp(t, "table_row_count_to_equal", `{"value":5}`),
		exp(t, "table_columns_to_match_ordered_list", `{"column_list":["id","x","s","at","flag"]}`),
	}
	rows := []string{`{"id":1,"x":10,"s":"aa","at":"2025-01-01T00:00:00Z","flag":true}`, `{"id":2,"x":null,"s":"b","at":"2025-01-01T01:00:00Z","flag":true}`,
		`{"id":3,"x":30,"s":null,"at":"2025-01-01T02:00:00Z","flag":false}`, `{"id":4,"x":20,"s":"aa","at":"2025-01-01T03:00:00Z","flag":null}`,
		`{"id":5,"x":20,"s":"ccc","at":"2025-01-01T04:00:00Z","flag":true}`}
	csv := file(t, "t.csv", small)
	tables := []string{csv, toParquet(t, csv), file(t, "t.json", "["+strings.Join(rows, ",\n")+"]"), file(t, "t.ndjson", strings.Join(rows, "\n")+"\n")}
	tables = append(tables, file(t, "t.csv.gz", packed(small)), file(t, "t.json.gz", packed("["+strings.Join(rows, ",\n")+"]")),
		file(t, "t.ndjson.gz", packed(strings.Join(rows, "\n"))))
	var first []byte
	for _, table := range tables {
		b, err := json.Marshal(evaluate(t, table, list...))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Errorf("%s:\n%s\nand %s:\n%s", filepath.Base(tables[0]), first, filepath.Base(table), b)
		}
	}
}

func packed(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// TestManyThreads: a large file is read by all threads in many row groups, and the results are bit for bit those of one
// thread.
func TestManyThreads(t *testing.T) {
	table := parquet(t, `SELECT i AS id, i // 2 AS pair, (hash(i) % 1000003) / 7.0 AS x, CASE WHEN hash(i, 1) % 10 > 0 THEN (hash(i, 2) % 1000)::INTEGER END AS n,
		'k' || (hash(i, 3) % 290000) AS k, TIMESTAMP '2020-01-01' + INTERVAL (i - CASE WHEN i % 50000 = 49999 THEN 9 ELSE 0 END) MINUTE AS at FROM range(300000) t(i)`)
	list := []check.Expectation{
		exp(t, "column_sum_to_be_between", `{"column":"x","min_value":0}`), exp(t, "column_mean_to_be_between", `{"column":"x","min_value":0}`),
		exp(t, "column_stdev_to_be_between", `{"column":"x","min_value":0}`), exp(t, "column_stdev_to_be_between", `{"column":"n","min_value":0}`),
		exp(t, "column_mean_to_be_between", `{"column":"n","min_value":0}`), exp(t, "column_median_to_be_between", `{"column":"x","min_value":0}`),
		exp(t, "column_values_to_be_between", `{"column":"x","min_value":1}`), exp(t, "column_values_to_be_between", `{"column":"x","max_value":100000}`),
		exp(t, "column_values_to_be_unique", `{"column":"pair"}`), exp(t, "column_values_to_be_unique", `{"column":"k"}`),
		exp(t, "column_values_to_be_unique", `{"column":"id"}`), exp(t, "compound_columns_to_be_unique", `{"column_list":["k","n"]}`),
		exp(t, "column_values_to_be_increasing", `{"column":"at"}`), exp(t, "column_values_to_be_increasing", `{"column":"n"}`),
		exp(t, "column_unique_value_count_to_be_between", `{"column":"k","min_value":0}`),
		exp(t, "column_pair_values_a_to_be_greater_than_b", `{"column_A":"id","column_B":"n"}`),
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var first []byte
	for _, threads := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(threads)
		results := evaluate(t, table, list...)
		b, err := json.Marshal(results)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
			var rows []int64
			for _, row := range results[12].PartialUnexpectedRows {
				rows = append(rows, row.Number)
			}
			if want := []int64{50000, 100000, 150000, 200000, 250000, 300000}; !reflect.DeepEqual(rows, want) {
				t.Errorf("rows out of order %v, want %v", rows, want)
			}
			if r := results[8]; *r.UnexpectedCount != 300000 || len(r.PartialUnexpectedRows) != check.MaxRows || r.PartialUnexpectedRows[19].Number != 20 {
				t.Errorf("%+v", r)
			}
		}
		if !bytes.Equal(first, b) {
			t.Errorf("%d threads:\n%s\none thread:\n%s", threads, b, first)
		}
	}
}
