package expect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// outcome is what the oracle says of one expectation.
type outcome struct {
	Success    bool
	Element    *int64
	Missing    *int64
	Unexpected *int64
	Rows       []int64
	Observed   any
}

// asked is one expectation by name and arguments.
type asked struct {
	name   string
	kwargs map[string]any
}

// TestAgainstPandas compares every expectation of the vocabulary, with random arguments on random tables, with an
// implementation in pandas: outcome, counts, numbers of the failing rows, observed values. The table is evaluated as CSV
// and as Parquet.
func TestAgainstPandas(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		rows := []int{400, 400, 1, 0, 37, 900}[seed]
		table := file(t, "random.csv", randomTable(r, rows))
		questions := randomQuestions(r)
		var list []check.Expectation
		for _, q := range questions {
			seen[q.name]++
			b, err := json.Marshal(q.kwargs)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, exp(t, q.name, string(b)))
		}
		want := oracle(t, table, questions)
		for _, path := range []string{table, toParquet(t, table)} {
			for i, got := range evaluate(t, path, list...) {
				if d := differ(got, want[i]); d != "" {
					t.Errorf("seed %d, %s: %s %s: %s\n%s", seed, filepath.Base(path), list[i].Type, list[i].Args, d, got.Message)
				}
			}
		}
	}
	for _, name := range check.Names() {
		if seen[name] == 0 && name != "metric_to_be_between" {
			t.Errorf("%s was never compared", name)
		}
	}
}

// differ says where a result differs from the oracle's.
func differ(got check.Result, want outcome) string {
	if got.Exception != "" {
		return "exception " + got.Exception
	}
	if got.Success != want.Success {
		return fmt.Sprintf("success %v, want %v", got.Success, want.Success)
	}
	if want.Element != nil {
		if *got.ElementCount != *want.Element || *got.MissingCount != *want.Missing || *got.UnexpectedCount != *want.Unexpected {
			return fmt.Sprintf("%d of %d, %d missing; want %d of %d, %d missing", *got.UnexpectedCount, *got.ElementCount, *got.MissingCount,
				*want.Unexpected, *want.Element, *want.Missing)
		}
		var rows []int64
		for _, row := range got.PartialUnexpectedRows {
			rows = append(rows, row.Number)
		}
		if !slices.Equal(rows, want.Rows) {
			return fmt.Sprintf("failing rows %v, want %v", rows, want.Rows)
		}
		return ""
	}
	if want.Observed == nil {
		return ""
	}
	var observed any
	b, err := json.Marshal(got.ObservedValue)
	if err == nil {
		err = json.Unmarshal(b, &observed)
	}
	if err != nil {
		return err.Error()
	}
	x, isNumber := want.Observed.(float64)
	y, isToo := observed.(float64)
	if isNumber && isToo && math.Abs(x-y) <= 1e-12*math.Max(1, math.Abs(x)) {
		return ""
	}
	if observed != want.Observed {
		return fmt.Sprintf("observed %v, want %v", observed, want.Observed)
	}
	return ""
}

func oracle(t *testing.T, table string, questions []asked) []outcome {
	t.Helper()
	spec := make([][2]any, len(questions))
	for i, q := range questions {
		spec[i] = [2]any{q.name, q.kwargs}
	}
	b, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/oracle.py", table, file(t, "spec.json", string(b)))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the oracle needs pandas (Debian: python3-pandas): %v\n%s", err, stderr.String())
	}
	var want []outcome
	if err := json.Unmarshal(out, &want); err != nil || len(want) != len(questions) {
		t.Fatalf("%v, %d outcomes", err, len(want))
	}
	return want
}

// randomTable has columns of every kind with nulls, repeated values and neighbours out of order; e is null throughout.
func randomTable(r *rand.Rand, rows int) string {
	var b strings.Builder
	b.WriteString("i,j,u,f,g,s,p,b,t,e\n")
	texts := []string{"aa", "ab", "bä", "日本", "cc-1", "it's", "x_y", "Zz"}
	for n := range rows {
		// The first row has no nulls, so that every reader finds the same types.
		null := func(s string) string {
			if n > 0 && r.IntN(8) == 0 {
				return ""
			}
			return s
		}
		f := math.Round(r.NormFloat64()*1e4) / 1e4
		fmt.Fprintln(&b, strings.Join([]string{null(fmt.Sprint(r.IntN(40) - 5)), null(fmt.Sprint(r.IntN(40) - 5)), fmt.Sprint(rows*2 - n),
			null(fmt.Sprint(f)), null(fmt.Sprint(math.Round(r.Float64()*50) / 100)), null(texts[r.IntN(len(texts))]), null(texts[r.IntN(4)]),
			null(fmt.Sprint(r.IntN(2) == 0)), null(fmt.Sprintf("2025-01-%02d %02d:00:00", 1+n%28, r.IntN(24))), ""}, ","))
	}
	return b.String()
}

// randomQuestions asks everything of the vocabulary, with random arguments.
func randomQuestions(r *rand.Rand) []asked {
	var list []asked
	add := func(name string, kwargs map[string]any) {
		if r.IntN(3) == 0 && (strings.HasPrefix(name, "column_value") || strings.HasPrefix(name, "compound") || strings.Contains(name, "pair")) {
			kwargs["mostly"] = float64(r.IntN(101)) / 100
		}
		list = append(list, asked{name, kwargs})
	}
	number := func() any { return float64(r.IntN(60)-10) / []float64{1, 2, 10}[r.IntN(3)] }
	day := func() any { return fmt.Sprintf("2025-01-%02d", 1+r.IntN(28)) }
	letter := func() any { return []string{"aa", "ab", "b", "cc-1", "日"}[r.IntN(5)] }
	makers := map[string]func() any{"i": number, "j": number, "u": number, "f": number, "g": number, "t": day, "s": letter, "p": letter}
	all := []string{"i", "j", "u", "f", "g", "s", "p", "b", "t", "e"}
	for range 4 {
		for _, c := range all {
			k := func(more ...any) map[string]any {
				m := map[string]any{"column": c}
				for i := 0; i < len(more); i += 2 {
					m[more[i].(string)] = more[i+1]
				}
				return m
			}
			add("column_values_to_not_be_null", k())
			add("column_values_to_be_null", k())
			add("column_values_to_be_unique", k())
			add("column_unique_value_count_to_be_between", k("min_value", r.IntN(50)))
			add("column_proportion_of_unique_values_to_be_between", k("max_value", float64(r.IntN(100))/100))
			if c == "b" {
				add("column_values_to_be_in_set", k("value_set", []any{r.IntN(2) == 0}))
				continue
			}
			strict := r.IntN(2) == 0
			add("column_values_to_be_increasing", k("strictly", strict))
			add("column_values_to_be_decreasing", k("strictly", strict))
			value := makers[c]
			if value == nil {
				value = letter // e is null throughout
			}
			add("column_values_to_be_between", bounds(r, k(), value))
			add("column_values_to_be_in_set", k("value_set", []any{value(), value(), value()}))
			add("column_values_to_not_be_in_set", k("value_set", []any{value(), value()}))
			if c == "s" || c == "p" || c == "e" {
				regex := []string{"a", "^a", "[0-9]$", "b|c", "^..$", "'"}[r.IntN(6)]
				add("column_values_to_match_regex", k("regex", regex))
				add("column_values_to_not_match_regex", k("regex", regex))
				add("column_value_lengths_to_be_between", bounds(r, k(), func() any { return r.IntN(5) }))
			}
			if c == "e" {
				add("column_values_to_be_between", bounds(r, k(), number)) // a number, and the column's type is VARCHAR
				add("column_mean_to_be_between", bounds(r, k(), number))
				continue
			}
			add("column_min_to_be_between", bounds(r, k(), value))
			add("column_max_to_be_between", bounds(r, k(), value))
			if _, isNumber := value().(float64); isNumber {
				for _, what := range []string{"mean", "median", "sum"} {
					add("column_"+what+"_to_be_between", bounds(r, k(), number))
				}
				add("column_stdev_to_be_between", k("min_value", float64(r.IntN(30))/2))
			}
		}
		list = append(list, tableQuestions(r, all)...)
		for _, pair := range [][]string{{"i", "j"}, {"f", "g"}, {"s", "p"}} {
			add("column_pair_values_a_to_be_greater_than_b", map[string]any{"column_A": pair[0], "column_B": pair[1], "or_equal": r.IntN(2) == 0})
			add("compound_columns_to_be_unique", map[string]any{"column_list": []any{pair[0], pair[1]}})
		}
		add("compound_columns_to_be_unique", map[string]any{"column_list": []any{"s", "p", "b"}})
	}
	return list
}

// bounds adds one bound or two in order.
func bounds(r *rand.Rand, k map[string]any, value func() any) map[string]any {
	low, high := value(), value()
	less := func(a, b any) bool {
		switch a := a.(type) {
		case float64:
			return a < b.(float64)
		case int:
			return a < b.(int)
		}
		return a.(string) < b.(string)
	}
	if less(high, low) {
		low, high = high, low
	}
	which := r.IntN(3)
	if which != 0 {
		k["min_value"] = low
	}
	if which != 1 {
		k["max_value"] = high
	}
	if less(low, high) {
		k["strict_min"], k["strict_max"] = r.IntN(2) == 0, r.IntN(2) == 0
	}
	return k
}

func tableQuestions(r *rand.Rand, all []string) []asked {
	some := func() []any {
		list := []any{}
		for _, c := range append(slices.Clone(all), "nowhere") {
			if r.IntN(4) > 0 {
				list = append(list, c)
			}
		}
		return append(list, "i2")
	}
	exactly := make([]any, len(all))
	for i, c := range all {
		exactly[i] = c
	}
	return []asked{
		{"column_to_exist", map[string]any{"column": all[r.IntN(len(all))]}},
		{"column_to_exist", map[string]any{"column": "I"}},
		{"table_row_count_to_be_between", map[string]any{"min_value": r.IntN(800)}},
		{"table_row_count_to_be_between", map[string]any{"min_value": 400, "strict_min": true}},
		{"table_row_count_to_equal", map[string]any{"value": []int{0, 1, 37, 400, 900}[r.IntN(5)]}},
		{"table_column_count_to_be_between", map[string]any{"min_value": r.IntN(20)}},
		{"table_columns_to_match_set", map[string]any{"column_set": exactly}},
		{"table_columns_to_match_set", map[string]any{"column_set": some(), "exact_match": false}},
		{"table_columns_to_match_set", map[string]any{"column_set": exactly[3:], "exact_match": r.IntN(2) == 0}},
		{"table_columns_to_match_ordered_list", map[string]any{"column_list": exactly}},
		{"table_columns_to_match_ordered_list", map[string]any{"column_list": exactly[1:]}},
	}
}

// toParquet copies a table, with the types that its reader finds.
func toParquet(t testing.TB, table string) string {
	t.Helper()
	ctx := context.Background()
	db, err := duck.Open(ctx, duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := db.Table(ctx, table)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "table.parquet")
	if err := db.Exec(ctx, "COPY (SELECT * FROM "+info.SQL+") TO "+duck.Literal(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}
