//go:build unix

package expect

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// Two workloads of a million rows in Parquet with 10 to 80 columns and 16 to 226 checks:
//
// Published is the workload of PyDeequ's published benchmark as far as another vocabulary can say it: ten columns of mixed
// types with 16 checks, and further columns of uniform floating-point numbers, each with completeness, minimum, maximum.
// Snappy, row groups of about a 64th.
//
// Mixed has all types in all columns, three checks of different kinds on each, and the largest row groups, so that
// statistics help less.
//
//	go test ./stages/expect -run xxx -bench . -benchtime 5x
//
// Each iteration evaluates all checks in three ways in turns: with Evaluate, from opening the file to closing the session;
// with one plain query for each check; and with all plain expressions in one SELECT, which re-creates the batching of that
// benchmark (keys and windows are queries of their own there, too). The plain ways have a session that is open already,
// use all threads for everything, so that their sums of floating-point numbers differ from run to run, don't look for NaN,
// and show no failing row. What is reported is the median of each way in wall-clock time, and the medians of the ratios to
// Evaluate, also in processor time, which other work on the machine does not change.

const benchRows = 1_000_000

var kinds = []string{"id", "amount", "rate", "count", "small", "category", "code", "at", "flag", "price"}

// publishedTable writes the table of the published workload.
func publishedTable(b *testing.B, columns int) string {
	list := []string{"format('ID{:012d}', i) AS id", "['electronics', 'clothing', 'food', 'books', 'toys'][1 + (hash(i, 1) % 5)::INTEGER] AS category",
		"['active', 'inactive', 'pending'][1 + (hash(i, 2) % 3)::INTEGER] AS status", "format('user{}@example.com', i) AS email",
		"(hash(i, 3) % 1000000007) / 1000000007 * 10000 AS amount", "(hash(i, 4) % 1001)::BIGINT AS quantity",
		"50 + 15 * ((hash(i, 5) % 1009 + hash(i, 6) % 1009 + hash(i, 7) % 1009) / 1009 - 1.5) * 2 AS score",
		"(1 + hash(i, 8) % 5)::BIGINT AS rating", "0.01 + (hash(i, 9) % 1000000007) / 1000000007 * 9999.98 AS price", "(hash(i, 10) % 1000000007) / 2000000014 AS discount"}
	for c := range columns - 10 {
		list = append(list, fmt.Sprintf("(hash(i, %d) %% 1000000007) / 1000000007 * 20000 - 10000 AS extra_%d", 11+c, c))
	}
	return writeTable(b, list, "COMPRESSION snappy, ROW_GROUP_SIZE 16384")
}

func publishedChecks(b *testing.B, columns int) []check.Expectation {
	lines := []string{`column_values_to_not_be_null {"column":"id"}`, `column_values_to_not_be_null {"column":"category"}`, `column_values_to_not_be_null {"column":"email","mostly":0.95}`,
		`column_values_to_be_unique {"column":"id"}`, `column_proportion_of_unique_values_to_be_between {"column":"category","min_value":0.000001}`,
		`column_min_to_be_between {"column":"amount","min_value":0}`, `column_max_to_be_between {"column":"amount","max_value":10000}`,
		`column_mean_to_be_between {"column":"score","min_value":0,"max_value":100}`, `column_stdev_to_be_between {"column":"score","max_value":50}`,
		`column_values_to_be_between {"column":"quantity","min_value":0}`, `column_values_to_be_between {"column":"price","min_value":0,"strict_min":true}`,
		`column_value_lengths_to_be_between {"column":"id","min_value":8}`, `column_value_lengths_to_be_between {"column":"id","max_value":20}`,
		`column_values_to_match_regex {"column":"email","regex":".*@.*\\..*","mostly":0.9}`,
		`column_values_to_be_in_set {"column":"status","value_set":["active","inactive","pending"]}`, `column_values_to_be_in_set {"column":"rating","value_set":[1,2,3,4,5]}`}
	for c := range columns - 10 {
		for _, line := range []string{`column_values_to_not_be_null {"column":"extra_%d"}`, `column_min_to_be_between {"column":"extra_%d","min_value":-10000}`,
			`column_max_to_be_between {"column":"extra_%d","max_value":10000}`} {
			lines = append(lines, fmt.Sprintf(line, c))
		}
	}
	return suite(b, lines)
}

// mixedTable writes the table of the mixed workload. Columns repeat after ten, with other values.
func mixedTable(b *testing.B, columns int) string {
	var list []string
	for c := range columns {
		name, seed := fmt.Sprintf("%s%d", kinds[c%10], c/10), fmt.Sprintf("i, %d", c)
		value := map[string]string{
			"id": "i", "amount": "(hash(%s) %% 1000000) / 1e4",
			"rate":  "CASE WHEN hash(%[1]s, 1) %% 100 > 0 THEN (hash(%[1]s) %% 100000) / 1e3 END",
			"count": "(hash(%s) %% 1000)::BIGINT", "small": "CASE WHEN hash(%[1]s, 1) %% 50 > 0 THEN (hash(%[1]s) %% 100)::INTEGER END",
			"category": "'c' || (hash(%s) %% 20)", "code": "format('{:08d}-x', (hash(%s) %% 100000000)::BIGINT)",
			"at": "TIMESTAMP '2020-01-01' + INTERVAL (i) MINUTE", "flag": "hash(%s) %% 2 = 0", "price": "1 + (hash(%s) %% 1000000) / 1e8",
		}[kinds[c%10]]
		if strings.Contains(value, "%") {
			value = fmt.Sprintf(value, seed)
		}
		list = append(list, value+" AS "+name)
	}
	return writeTable(b, list, "COMPRESSION zstd")
}

func writeTable(b *testing.B, columns []string, options string) string {
	b.Helper()
	db, err := duck.Open(context.Background(), duck.Options{Threads: runtime.GOMAXPROCS(0)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(b.TempDir(), "bench.parquet")
	if err := db.Exec(context.Background(), fmt.Sprintf("COPY (SELECT %s FROM range(%d) t(i)) TO %s (FORMAT parquet, %s)",
		strings.Join(columns, ", "), benchRows, duck.Literal(path), options)); err != nil {
		b.Fatal(err)
	}
	return path
}

// mixedChecks are 16 checks on the first ten columns, and three on each further one.
func mixedChecks(b *testing.B, columns int) []check.Expectation {
	b.Helper()
	three := map[string][]string{
		"id":       {`column_values_to_not_be_null {"column":"%s"}`, `column_min_to_be_between {"column":"%s","min_value":0}`, `column_max_to_be_between {"column":"%s","max_value":1e6}`},
		"amount":   {`column_values_to_be_between {"column":"%s","min_value":0,"max_value":100}`, `column_mean_to_be_between {"column":"%s","min_value":49,"max_value":51}`, `column_max_to_be_between {"column":"%s","max_value":100}`},
		"rate":     {`column_values_to_not_be_null {"column":"%s","mostly":0.98}`, `column_values_to_be_between {"column":"%s","min_value":0,"max_value":100}`, `column_stdev_to_be_between {"column":"%s","min_value":28,"max_value":30}`},
		"count":    {`column_values_to_not_be_null {"column":"%s"}`, `column_values_to_be_between {"column":"%s","min_value":0,"max_value":999}`, `column_sum_to_be_between {"column":"%s","min_value":0}`},
		"small":    {`column_values_to_be_between {"column":"%s","min_value":0,"max_value":99}`, `column_unique_value_count_to_be_between {"column":"%s","max_value":100}`, `column_mean_to_be_between {"column":"%s","min_value":49,"max_value":50}`},
		"category": {`column_values_to_not_be_null {"column":"%s"}`, `column_values_to_be_in_set {"column":"%s","value_set":["c0","c1","c2","c3","c4","c5","c6","c7","c8","c9","c10","c11","c12","c13","c14","c15","c16","c17","c18","c19"]}`, `column_unique_value_count_to_be_between {"column":"%s","max_value":20}`},
		"code":     {`column_values_to_not_be_null {"column":"%s"}`, `column_values_to_match_regex {"column":"%s","regex":"^[0-9]{8}-x$"}`, `column_value_lengths_to_be_between {"column":"%s","min_value":10,"max_value":10}`},
		"at":       {`column_values_to_not_be_null {"column":"%s"}`, `column_values_to_be_between {"column":"%s","min_value":"2020-01-01","max_value":"2022-01-01"}`, `column_max_to_be_between {"column":"%s","max_value":"2022-01-01"}`},
		"flag":     {`column_values_to_not_be_null {"column":"%s"}`, `column_values_to_be_in_set {"column":"%s","value_set":[true,false]}`, `column_unique_value_count_to_be_between {"column":"%s","max_value":2}`},
		"price":    {`column_values_to_be_between {"column":"%s","min_value":1,"max_value":1.02}`, `column_min_to_be_between {"column":"%s","min_value":1}`, `column_mean_to_be_between {"column":"%s","min_value":1,"max_value":1.01}`},
	}
	lines := []string{`table_row_count_to_equal {"value":1000000}`, `column_values_to_be_unique {"column":"id0"}`, `column_values_to_not_be_null {"column":"id0"}`,
		`column_values_to_be_increasing {"column":"at0","strictly":true}`, `column_pair_values_a_to_be_greater_than_b {"column_A":"amount0","column_B":"price0","mostly":0.9}`,
		`column_median_to_be_between {"column":"count0","min_value":498,"max_value":501}`}
	for i, k := range kinds {
		lines = append(lines, fmt.Sprintf(three[k][i%3], k+"0"))
	}
	for c := 10; c < columns; c++ {
		for _, line := range three[kinds[c%10]] {
			lines = append(lines, fmt.Sprintf(line, fmt.Sprintf("%s%d", kinds[c%10], c/10)))
		}
	}
	return suite(b, lines)
}

func suite(b *testing.B, lines []string) []check.Expectation {
	b.Helper()
	var list []check.Expectation
	for _, line := range lines {
		name, kwargs, _ := strings.Cut(line, " ")
		one, err := check.ParseSuite("bench", []byte(fmt.Sprintf(`{"expectations":[{"type":%q,"kwargs":%s}]}`, name, kwargs)))
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, one...)
	}
	return list
}

func BenchmarkPublished(b *testing.B) {
	for _, columns := range []int{10, 20, 40, 80} {
		list := publishedChecks(b, columns)
		b.Run(fmt.Sprintf("columns=%d/checks=%d", columns, len(list)), func(b *testing.B) {
			compare(b, publishedTable(b, columns), list, 0)
		})
	}
}

func BenchmarkMixed(b *testing.B) {
	for _, columns := range []int{10, 20, 40, 80} {
		list := mixedChecks(b, columns)
		b.Run(fmt.Sprintf("columns=%d/checks=%d", columns, len(list)), func(b *testing.B) {
			compare(b, mixedTable(b, columns), list, 0)
		})
	}
}

// BenchmarkFailing is the largest mixed workload where some checks fail and their rows are shown.
func BenchmarkFailing(b *testing.B) {
	list := mixedChecks(b, 80)
	failing := 0
	for i := range list {
		args := string(list[i].Args)
		if i%2 == 0 && list[i].Type == "column_values_to_be_between" && strings.Contains(args, `"max_value":100,`) {
			list[i].Args = json.RawMessage(strings.Replace(args, `"max_value":100,`, `"max_value":99.99,`, 1))
			failing++
		}
	}
	b.Run(fmt.Sprintf("columns=80/checks=%d", len(list)), func(b *testing.B) {
		compare(b, mixedTable(b, 80), list, failing)
	})
}

// compare measures all ways in turns, so that what else the machine does strikes them alike.
func compare(b *testing.B, table string, list []check.Expectation, failing int) {
	var walls, cpus [3][]float64 // ours, one by one, batched
	for b.Loop() {
		var results []check.Result
		var took [3]usage
		took[0] = measured(func() {
			var err error
			if results, err = NewEvaluator().Evaluate(context.Background(), check.Subject{Table: table}, list); err != nil {
				b.Fatal(err)
			}
		})
		if n := len(check.Failed(results)); n != failing {
			b.Fatalf("%d checks fail, %d should, the first: %s", n, failing, check.Failed(results)[0].Message)
		}
		took[1], took[2] = plainly(b, table, list)
		for i, t := range took {
			walls[i], cpus[i] = append(walls[i], t.wall), append(cpus[i], t.cpu)
		}
	}
	for i, name := range []string{"ours", "single", "batched"} {
		b.ReportMetric(1000*median(walls[i]), name+"-ms")
	}
	b.ReportMetric(median(ratios(walls[1], walls[0])), "single/ours")
	b.ReportMetric(median(ratios(walls[2], walls[0])), "batched/ours")
	b.ReportMetric(median(ratios(cpus[1], cpus[0])), "single/ours-cpu")
	b.ReportMetric(median(ratios(cpus[2], cpus[0])), "batched/ours-cpu")
	b.ReportMetric(0, "ns/op")
}

// usage is what something took, in seconds.
type usage struct{ wall, cpu float64 }

func measured(f func()) usage {
	cpu := func() float64 {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			panic(err)
		}
		return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
	}
	before, start := cpu(), time.Now()
	f()
	return usage{time.Since(start).Seconds(), cpu() - before}
}

func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// plainly evaluates the checks with one query for each, then all in one.
func plainly(b *testing.B, table string, list []check.Expectation) (single, batched usage) {
	b.Helper()
	ctx := context.Background()
	db, err := duck.Open(ctx, duck.Options{Scratch: b.TempDir(), Threads: runtime.GOMAXPROCS(0)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	from := duck.Scan(table)
	run := func(query string) {
		rows, err := db.Query(ctx, query)
		if err != nil {
			b.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
	}
	single = measured(func() {
		for _, e := range list {
			expressions, source := plainSQL(b, e, from)
			run("SELECT " + strings.Join(expressions, ", ") + " FROM " + source)
		}
	})
	batched = measured(func() {
		var all []string
		for _, e := range list {
			expressions, source := plainSQL(b, e, from)
			if source != from {
				run("SELECT " + strings.Join(expressions, ", ") + " FROM " + source)
				continue
			}
			all = append(all, expressions...)
		}
		slices.Sort(all)
		run("SELECT " + strings.Join(slices.Compact(all), ", ") + " FROM " + from)
	})
	return single, batched
}

// plainSQL is a check as it is written by hand.
func plainSQL(b *testing.B, e check.Expectation, from string) (expressions []string, source string) {
	b.Helper()
	a, err := check.ParseArgs(e)
	if err != nil {
		b.Fatal(err)
	}
	c := duck.Ident(a.Column)
	failing := func(format string, args ...any) []string {
		return []string{"count(*)", "count(" + c + ")", "sum(CASE WHEN " + fmt.Sprintf(format, args...) + " THEN 1 ELSE 0 END)"}
	}
	quote := func(v any) string {
		if s, ok := v.(string); ok {
			return duck.Literal(s)
		}
		return fmt.Sprint(v)
	}
	outside := func(x string) string {
		var list []string
		if a.MinValue != nil {
			list = append(list, x+map[bool]string{false: " < ", true: " <= "}[a.StrictMin]+quote(a.MinValue))
		}
		if a.MaxValue != nil {
			list = append(list, x+" > "+quote(a.MaxValue))
		}
		return strings.Join(list, " OR ")
	}
	function := map[string]string{"min": "min(%s)", "max": "max(%s)", "mean": "avg(%s)", "median": "median(%s)", "stdev": "stddev_samp(%s)", "sum": "sum(%s)",
		"unique_value_count": "count(DISTINCT %s)"}[strings.TrimSuffix(strings.TrimPrefix(e.Type, "column_"), "_to_be_between")]
	switch e.Type {
	case "table_row_count_to_equal":
		return []string{"count(*)"}, from
	case "column_values_to_not_be_null":
		return []string{"count(*)", "count(" + c + ")"}, from
	case "column_values_to_be_between":
		return failing("%s", outside(c)), from
	case "column_value_lengths_to_be_between":
		return failing("%s", outside("length("+c+")")), from
	case "column_proportion_of_unique_values_to_be_between":
		return []string{"count(DISTINCT " + c + ")", "count(" + c + ")"}, from
	case "column_values_to_be_in_set":
		var set []string
		for _, v := range a.ValueSet {
			set = append(set, quote(v))
		}
		return failing("%s NOT IN (%s)", c, strings.Join(set, ", ")), from
	case "column_values_to_match_regex":
		return failing("NOT regexp_matches(%s, %s)", c, quote(a.Regex)), from
	case "column_values_to_be_unique":
		return []string{"count(*)", "sum(n)"}, fmt.Sprintf("(SELECT count(*) AS n FROM %s WHERE %s IS NOT NULL GROUP BY %s HAVING count(*) > 1)", from, c, c)
	case "column_values_to_be_increasing":
		return []string{"count(*)", "sum(CASE WHEN x <= before THEN 1 ELSE 0 END)"},
			fmt.Sprintf("(SELECT %s AS x, lag(%s IGNORE NULLS) OVER (ORDER BY file_row_number) AS before FROM %s)", c, c, from)
	case "column_pair_values_a_to_be_greater_than_b":
		return []string{"count(*)", fmt.Sprintf("sum(CASE WHEN NOT (%s > %s) THEN 1 ELSE 0 END)", duck.Ident(a.ColumnA), duck.Ident(a.ColumnB))}, from
	}
	if function == "" {
		b.Fatalf("%s has no plain form here", e.Type)
	}
	return []string{"count(" + c + ")", fmt.Sprintf(function, c)}, from
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
