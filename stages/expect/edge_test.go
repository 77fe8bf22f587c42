package expect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pipe/engine/check"
	"pipe/stages/expect"
	"pipe/stages/internal/duck"
)

// parquet writes the rows of a query.
func parquet(t testing.TB, query string) string {
	t.Helper()
	db, err := duck.Open(context.Background(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := db.Exec(context.Background(), "COPY ("+query+") TO "+duck.Literal(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}

// edge is one expectation with its outcome: "true", "false" or "exception", and optionally "observed" or failing rows.
type edge struct {
	name, args, want string
}

func (e edge) of(r check.Result) string {
	got := fmt.Sprint(r.Success)
	if r.Exception != "" {
		return "exception " + r.Exception
	}
	if r.ObservedValue != nil {
		b, err := json.Marshal(r.ObservedValue)
		if err != nil {
			return err.Error()
		}
		return got + " " + string(b)
	}
	for _, row := range r.PartialUnexpectedRows {
		got += fmt.Sprintf(" %d", row.Number)
	}
	return got
}

func checkEdges(t *testing.T, table string, edges []edge) {
	t.Helper()
	var list []check.Expectation
	for _, e := range edges {
		list = append(list, exp(t, e.name, e.args))
	}
	for i, r := range evaluate(t, table, list...) {
		if got := edges[i].of(r); got != edges[i].want {
			t.Errorf("%s %s:\n got %s\nwant %s", edges[i].name, edges[i].args, got, edges[i].want)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", edges[i].name, err)
		}
	}
}

// TestNotANumber: NaN passes nothing but expectations on being null, and does not hide in an aggregate.
func TestNotANumber(t *testing.T) {
	table := parquet(t, `SELECT * FROM (VALUES (1.0::DOUBLE, 1.0::DOUBLE, 0.5::FLOAT, 1), ('NaN', 2, 'NaN', 2), (2, 'Infinity', NULL, 3), (NULL, 3, 2, 4)) v(x, inf, f, n)`)
	checkEdges(t, table, []edge{
		{"column_values_to_not_be_null", `{"column":"x"}`, "false 2 4"},
		{"column_values_to_be_null", `{"column":"x"}`, "false 1 2 3"},
		{"column_values_to_be_between", `{"column":"x","min_value":0}`, "false 2"},
		{"column_values_to_be_between", `{"column":"x","max_value":9}`, "false 2"},
		{"column_values_to_be_between", `{"column":"f","min_value":0}`, "false 2"},
		{"column_values_to_be_in_set", `{"column":"x","value_set":[1,2]}`, "false 2"},
		{"column_values_to_be_increasing", `{"column":"x","strictly":true}`, "false 2"},
		{"column_values_to_be_decreasing", `{"column":"x"}`, "false 2 3"},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"x","column_B":"n","or_equal":true}`, "false 2 3 4"},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"n","column_B":"x","or_equal":true}`, "false 2 4"},
		{"column_min_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_max_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_mean_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_median_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_stdev_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_sum_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_max_to_be_between", `{"column":"inf","min_value":0}`, `true "+Inf"`},
		{"column_max_to_be_between", `{"column":"inf","max_value":1e300}`, `false "+Inf"`},
		{"column_mean_to_be_between", `{"column":"inf","max_value":1e300}`, `false "+Inf"`},
		{"column_stdev_to_be_between", `{"column":"inf","min_value":0}`, `false "NaN"`},
		{"column_median_to_be_between", `{"column":"inf","min_value":2.5,"max_value":2.5}`, `true 2.5`},
	})
}

// TestStatisticsWithoutNaN reads a file of another writer: the statistics of its column x say 1 to 2, and leave out that
// its fifth value is NaN, as the format has it. No expectation may believe them, alone or among others.
func TestStatisticsWithoutNaN(t *testing.T) {
	table := "testdata/nan_outside_statistics.parquet"
	edges := []edge{
		{"column_values_to_be_between", `{"column":"x","min_value":0,"max_value":5}`, "false 5"},
		{"column_values_to_be_between", `{"column":"x","max_value":5}`, "false 5"},
		{"column_values_to_be_between", `{"column":"x","min_value":1}`, "false 5"},
		{"column_values_to_be_in_set", `{"column":"x","value_set":[1,1.5,2]}`, "false 5"},
		{"column_values_to_not_be_null", `{"column":"x"}`, "false 5"},
		{"column_values_to_be_increasing", `{"column":"x"}`, "false 4 5"},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"n","column_B":"x","or_equal":true}`, "false 5"},
		{"column_min_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_max_to_be_between", `{"column":"x","max_value":5}`, `false "NaN"`},
		{"column_mean_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_median_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_stdev_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
		{"column_sum_to_be_between", `{"column":"x","min_value":0}`, `false "NaN"`},
	}
	checkEdges(t, table, edges)
	for _, e := range edges {
		checkEdges(t, table, []edge{e})
	}
}

// TestTypes looks at every type of column: comparisons are exact, and results are plain JSON.
func TestTypes(t *testing.T) {
	table := parquet(t, `SELECT (9007199254740990 + i)::BIGINT AS big, (i / 10)::FLOAT AS f, (i * 1.005)::DECIMAL(10,3) AS dec,
		(18446744073709551610 + i)::UBIGINT AS ub, ('00000000-0000-0000-0000-00000000000' || i)::UUID AS id, i % 2 = 0 AS flag,
		DATE '2025-01-01' + i::INTEGER AS day, TIME '10:00:00' + INTERVAL (i) MINUTE AS tm, TIMESTAMP '2025-01-01' + INTERVAL (i) HOUR AS ts,
		make_timestamp_ns(1735689600000000000 + i) AS ns, TIMESTAMPTZ '2025-01-01 09:00:00+09' + INTERVAL (i) HOUR AS tz,
		[i, NULL] AS list, {'a': i, 'b': 'x'} AS st, MAP {'k': i} AS m, 'ab'::BLOB AS bl, INTERVAL (i) DAY AS iv, NULL::INTEGER AS nul, i AS n
		FROM range(6) t(i)`)
	checkEdges(t, table, []edge{
		{"column_max_to_be_between", `{"column":"big","max_value":9007199254740994}`, `false 9007199254740995`},
		{"column_max_to_be_between", `{"column":"big","max_value":9007199254740995}`, `true 9007199254740995`},
		{"column_values_to_be_between", `{"column":"big","max_value":9007199254740993}`, `false 5 6`},
		{"column_sum_to_be_between", `{"column":"big","min_value":54043195528445955,"max_value":54043195528445955}`, `true 54043195528445955`},
		{"column_max_to_be_between", `{"column":"ub","max_value":18446744073709551614}`, `false 18446744073709551615`},
		{"column_values_to_be_between", `{"column":"ub","max_value":18446744073709551614}`, `false 6`},
		{"column_values_to_be_between", `{"column":"f","max_value":0.3}`, `false 5 6`},
		{"column_values_to_be_in_set", `{"column":"f","value_set":[0,0.1,0.2,0.3,0.4,0.5]}`, `true`},
		{"column_max_to_be_between", `{"column":"f","max_value":0.5}`, `true 0.5`},
		{"column_min_to_be_between", `{"column":"dec","min_value":0}`, `true 0`},
		{"column_values_to_be_between", `{"column":"dec","max_value":3.015}`, `false 5 6`},
		{"column_values_to_be_in_set", `{"column":"dec","value_set":[0,1.005,2.01,3.015,4.02,5.025]}`, `true`},
		{"column_median_to_be_between", `{"column":"dec","min_value":2.5125,"max_value":2.5125}`, `true 2.5125`},
		{"column_values_to_match_regex", `{"column":"id","regex":"-00000000000[0-4]$"}`, `false 6`},
		{"column_value_lengths_to_be_between", `{"column":"id","min_value":36,"max_value":36}`, `true`},
		{"column_values_to_be_in_set", `{"column":"flag","value_set":[true]}`, `false 2 4 6`},
		{"column_values_to_be_between", `{"column":"day","min_value":"2025-01-02","max_value":"2025-01-04T00:00:00Z"}`, `false 1 5 6`},
		{"column_max_to_be_between", `{"column":"day","max_value":"2025-01-06"}`, `true "2025-01-06T00:00:00Z"`},
		{"column_values_to_be_between", `{"column":"tm","min_value":"10:01","max_value":"10:04:00"}`, `false 1 6`},
		{"column_values_to_be_between", `{"column":"ts","min_value":"2025-01-01T10:00:00+09:00","max_value":"2025-01-01 04:00"}`, `false 1 6`},
		{"column_values_to_be_in_set", `{"column":"ts","value_set":["2025-01-01","2025-01-01T01:00:00Z"]}`, `false 3 4 5 6`},
		{"column_values_to_be_between", `{"column":"ns","min_value":"2025-01-01T00:00:00.000000002Z"}`, `false 1 2`},
		{"column_max_to_be_between", `{"column":"ns","max_value":"2025-01-01T00:00:00.000000004Z"}`, `false "2025-01-01T00:00:00.000000005Z"`},
		{"column_min_to_be_between", `{"column":"tz","min_value":"2025-01-01","max_value":"2025-01-01"}`, `true "2025-01-01T00:00:00Z"`},
		{"column_values_to_be_between", `{"column":"tz","max_value":"2025-01-01T13:00:00+09:00"}`, `false 6`},
		{"column_values_to_be_unique", `{"column":"list"}`, `true`},
		{"column_values_to_be_unique", `{"column":"bl","mostly":0}`, `true 1 2 3 4 5 6`},
		{"compound_columns_to_be_unique", `{"column_list":["bl","nul"]}`, `false 1 2 3 4 5 6`},
		{"column_values_to_be_increasing", `{"column":"tz","strictly":true}`, `true`},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"ts","column_B":"day"}`, `false 1 2 3 4 5 6`},
		// A column without values can be asked anything.
		{"column_values_to_be_between", `{"column":"nul","min_value":"a"}`, `true`},
		{"column_values_to_match_regex", `{"column":"nul","regex":"x"}`, `true`},
		{"column_min_to_be_between", `{"column":"nul","min_value":0}`, `false`},
		// What can't be compared is an exception.
		{"column_values_to_be_between", `{"column":"n","min_value":"a"}`, `exception the column n is BIGINT, and "a" is a text`},
		{"column_values_to_be_between", `{"column":"ts","min_value":"now"}`, `exception the column ts is TIMESTAMP: "now" is no date or time: write it as 2025-01-31 or 2025-01-31T13:00:00Z`},
		{"column_values_to_be_in_set", `{"column":"flag","value_set":[1]}`, `exception the column flag is BOOLEAN, and 1 is a number`},
		{"column_values_to_match_regex", `{"column":"n","regex":"1"}`, `exception the column n is BIGINT: a regular expression needs a column of texts`},
		{"column_value_lengths_to_be_between", `{"column":"list","min_value":1}`, `exception the column list is BIGINT[]: only texts have a length`},
		{"column_values_to_be_increasing", `{"column":"st"}`, `exception the column st is STRUCT(a BIGINT, b VARCHAR), which has no order`},
		{"column_mean_to_be_between", `{"column":"flag","min_value":1}`, `exception the column flag is BOOLEAN: the mean needs a column of numbers`},
		{"column_min_to_be_between", `{"column":"ts","min_value":1}`, `exception the bound 1 can't be compared with a date or time`},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"n","column_B":"id"}`, `exception the column n is BIGINT and the column id is UUID: they can't be compared`},
	})
	r := evaluate(t, table, exp(t, "column_values_to_be_between", `{"column":"n","max_value":4}`))[0]
	b, err := json.Marshal(r.PartialUnexpectedRows)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"number":6,"columns":["big","f","dec","ub","id","flag","day","tm","ts","ns","tz","list","st","m","bl","iv","nul","n"],"values":[` +
		`9007199254740995,0.5,5.025,18446744073709551615,"00000000-0000-0000-0000-000000000005",false,"2025-01-06","10:05:00","2025-01-01T05:00:00Z",` +
		`"2025-01-01T00:00:00.000000005Z","2025-01-01T05:00:00Z",[5,null],{"a":5,"b":"x"},{"k":5},"6162","5 days",null,5]}]`
	if string(b) != want {
		t.Errorf("row\n%s\nwant\n%s", b, want)
	}
}

// TestHostileNames: names and values are data, whatever they look like, also those of columns that are hidden elsewhere.
func TestHostileNames(t *testing.T) {
	names := []string{`a"; DROP TABLE subject; --`, `rowid`, `file_row_number`, `__pipe_row`, `__PIPE_w0`, `n`, `a`, `b`, `select`, `x y`}
	quoted := make([]string, len(names))
	cells := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
		cells[i] = `it's "` + fmt.Sprint(i) + `"`
	}
	line := func(c []string) string {
		out := make([]string, len(c))
		for i, s := range c {
			out[i] = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return strings.Join(out, ",") + "\n"
	}
	csv := file(t, "t.csv", strings.Join(quoted, ",")+"\n"+line(cells)+line(cells)+strings.Repeat(",", len(names)-1)+"\n")
	for _, table := range []string{csv, toParquet(t, csv)} {
		var list []check.Expectation
		for i, n := range names {
			name, _ := json.Marshal(n)
			value, _ := json.Marshal(cells[i])
			list = append(list, exp(t, "column_values_to_be_unique", fmt.Sprintf(`{"column":%s}`, name)),
				exp(t, "column_values_to_be_increasing", fmt.Sprintf(`{"column":%s,"strictly":true}`, name)),
				exp(t, "column_values_to_not_be_in_set", fmt.Sprintf(`{"column":%s,"value_set":[%s]}`, name, value)),
				exp(t, "column_values_to_match_regex", fmt.Sprintf(`{"column":%s,"regex":"' OR 1=1 --"}`, name)))
		}
		all, _ := json.Marshal(names)
		list = append(list, exp(t, "compound_columns_to_be_unique", fmt.Sprintf(`{"column_list":%s}`, all)))
		for i, r := range evaluate(t, table, list...) {
			want := map[int][]int64{0: {1, 2}, 1: {2}, 2: {1, 2}, 3: {1, 2}}[i%4]
			var rows []int64
			for _, row := range r.PartialUnexpectedRows {
				rows = append(rows, row.Number)
			}
			if r.Exception != "" || !reflect.DeepEqual(rows, want) || strings.Contains(r.Message, "\n") {
				t.Errorf("%s: %s %s: rows %v, want %v: %s", filepath.Base(table), r.Type, r.Args, rows, want, r.Message)
			}
		}
	}
}

// TestErrorsWhileRunningStayAlone: a statement that fails on its data is found among many, and the others are right.
func TestErrorsWhileRunningStayAlone(t *testing.T) {
	table := parquet(t, `SELECT CASE WHEN i % 2 = 0 THEN 1e200 ELSE -1e200 END AS huge, i AS n, 'x' || i AS s FROM range(100) t(i)`)
	var list []check.Expectation
	for i := range 40 {
		list = append(list, exp(t, "column_values_to_be_between", fmt.Sprintf(`{"column":"n","max_value":%d}`, 60+i)))
	}
	list[17] = exp(t, "column_stdev_to_be_between", `{"column":"huge","min_value":0}`)
	list[18] = exp(t, "column_stdev_to_be_between", `{"column":"n","min_value":0}`)
	list[30] = exp(t, "column_values_to_match_regex", `{"column":"s","regex":"x"}`)
	list[30].Args = json.RawMessage(`{"column":"s","regex":"("}`) // past the checks of a plan file
	list[31].Type = "column_values_to_be_green"
	list[32].Args = json.RawMessage(`{"column":7}`)
	for i, r := range evaluate(t, table, list...) {
		switch i {
		case 17, 30, 31, 32:
			if r.Success || r.Exception == "" || strings.Contains(r.Exception, "\n") {
				t.Errorf("%d: %+v", i, r)
			}
		case 18:
			if !r.Success || r.ObservedValue != 29.011491975882016 {
				t.Errorf("%d: %+v", i, r)
			}
		default:
			if r.Exception != "" || *r.UnexpectedCount != int64(39-i) || len(r.PartialUnexpectedRows) != min(39-i, check.MaxRows) {
				t.Errorf("%d: %s", i, r.Message)
			}
		}
	}
}

func TestColumnsThatAreNotThere(t *testing.T) {
	table := file(t, "t.csv", small)
	checkEdges(t, table, []edge{
		{"column_values_to_not_be_null", `{"column":"X"}`, `exception the table has no column "X"; it has id, x, s, at, flag. Did you mean "x"?`},
		{"column_mean_to_be_between", `{"column":"flg","min_value":1}`, `exception the table has no column "flg"; it has id, x, s, at, flag. Did you mean "flag"?`},
		{"compound_columns_to_be_unique", `{"column_list":["x","zzzzzzzz"]}`, `exception the table has no column "zzzzzzzz"; it has id, x, s, at, flag.`},
	})
	empty := file(t, "t.json", "[]")
	checkEdges(t, empty, []edge{
		{"column_values_to_not_be_null", `{"column":"x"}`, `exception the table has no column "x": it holds no rows`},
		{"table_row_count_to_be_between", `{"min_value":1}`, `false 0`},
		{"table_row_count_to_equal", `{"value":0}`, `true 0`},
	})
	headed := file(t, "h.csv", "a,b\n")
	checkEdges(t, headed, []edge{
		{"column_values_to_be_between", `{"column":"a","min_value":1}`, `true`},
		{"column_values_to_be_unique", `{"column":"a"}`, `true`},
		{"column_values_to_be_increasing", `{"column":"a"}`, `true`},
		{"column_pair_values_a_to_be_greater_than_b", `{"column_A":"a","column_B":"b"}`, `true`},
		{"column_mean_to_be_between", `{"column":"a","min_value":1}`, `false`},
		{"column_unique_value_count_to_be_between", `{"column":"a","max_value":1}`, `false`},
	})
	one := file(t, "o.csv", "a\n1\n")
	r := evaluate(t, one, exp(t, "column_stdev_to_be_between", `{"column":"a","max_value":1}`))[0]
	if r.Success || !strings.HasSuffix(r.Message, "a standard deviation needs two values, and there is one") {
		t.Errorf("%+v", r)
	}
}

func TestTablesThatCannotBeRead(t *testing.T) {
	e := exp(t, "table_row_count_to_equal", `{"value":1}`)
	for _, table := range []string{file(t, "t.parquet", "no parquet at all"), file(t, "t.csv", "a,b\n1\n"), file(t, "t.txt", "a"), filepath.Join(t.TempDir(), "none.csv")} {
		_, err := expect.NewEvaluator().Evaluate(context.Background(), check.Subject{Table: table}, []check.Expectation{e})
		if err == nil || strings.Contains(err.Error(), filepath.Dir(table)) || !strings.Contains(err.Error(), strings.TrimSuffix(filepath.Base(table), filepath.Ext(table))) {
			t.Errorf("%s: %v", filepath.Base(table), err)
		}
	}
}

func TestCancellation(t *testing.T) {
	table := parquet(t, `SELECT i AS x FROM range(1000) t(i)`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := expect.NewEvaluator().Evaluate(ctx, check.Subject{Table: table}, []check.Expectation{exp(t, "column_values_to_be_unique", `{"column":"x"}`)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestCancellationWhileRunning: what has begun ends with the error of the context, and not with half a result.
func TestCancellationWhileRunning(t *testing.T) {
	table := parquet(t, `SELECT format('user{}@example.com', hash(i)) AS s, CASE WHEN i = 7 THEN 'NaN'::DOUBLE ELSE i END AS x FROM range(600000) t(i)`)
	var list []check.Expectation
	for i := range 40 {
		list = append(list, exp(t, "column_values_to_match_regex", fmt.Sprintf(`{"column":"s","regex":"(a|b)*%d.*@"}`, i)), exp(t, "column_values_to_be_unique", `{"column":"s"}`),
			exp(t, "column_values_to_be_increasing", `{"column":"x"}`))
	}
	for _, after := range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		results, err := expect.NewEvaluator().Evaluate(ctx, check.Subject{Table: table}, list)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || results != nil {
			t.Errorf("after %v: %v, %d results", after, err, len(results))
		}
	}
}

// TestManyExpectations: a thousand of them are one statement.
func TestManyExpectations(t *testing.T) {
	table := parquet(t, `SELECT i AS x FROM range(1000) t(i)`)
	var list []check.Expectation
	for i := range 1000 {
		list = append(list, exp(t, "column_values_to_be_between", fmt.Sprintf(`{"column":"x","max_value":%d}`, i)))
	}
	for i, r := range evaluate(t, table, list...) {
		if *r.UnexpectedCount != int64(999-i) {
			t.Fatalf("%d: %s", i, r.Message)
		}
		if i < 999 && r.PartialUnexpectedRows[0].Number != int64(i+2) {
			t.Fatalf("%d: first row %d", i, r.PartialUnexpectedRows[0].Number)
		}
	}
}
