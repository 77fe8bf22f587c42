package sql

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
	"pipe/stages/internal/duck"
)

const bars = "timestamp,open,close,volume,tag\n" +
	"2025-01-02T01:00:00Z,3,4,20,\n2025-01-01T00:00:00Z,1,2,10,x\n2025-01-01T01:00:00Z,2,3,15,y\n"

func upstreams() map[string]stagetest.Upstream {
	return map[string]stagetest.Upstream{
		"stage.bars":               stagetest.Table("bars.csv", bars, 3),
		`stage.months["2025-02"]`:  stagetest.Table("canonical.json", `[{"a": 3, "b": "z"}]`, 1),
		`stage.months["2025-01"]`:  stagetest.Table("canonical.json", `[{"a": 1}, {"a": 2}]`, 2),
		"stage.files":              {Files: map[string]string{"x.bin": "x"}},
		"stage.empty":              stagetest.Table("x.json", "[]", 0),
		`stage.keyed["k"]`:         stagetest.Table("x.json", `[{"_key": 1}]`, 1),
		"input.broken":             stagetest.Table("broken.csv", "a,b\n1\n", 1),
		`stage.halves["january"]`:  stagetest.Table("x.json", "[]", 0),
		`stage.halves["february"]`: stagetest.Table("x.json", `[{"a": 7}]`, 1),
	}
}

// ok is a case whose result is compared with its rows as text.
func ok(name, config string, want ...string) stagetest.Case {
	return stagetest.Case{Name: name, Config: config, Upstreams: upstreams(), Check: func(t *testing.T, r stagetest.Result) {
		t.Helper()
		if got := rows(t, filepath.Join(r.Dir, "data.parquet")); !cmp.Equal(got, want) || r.Rows != int64(len(want)) || r.Main != "data.parquet" {
			t.Errorf("%d rows in %s: %s", r.Rows, r.Main, cmp.Diff(want, got))
		}
	}}
}

func rows(t *testing.T, path string) []string {
	t.Helper()
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var list []string
	if err := db.Fetch(t.Context(), []any{&list}, "SELECT concat_ws('|', *COLUMNS(*)) FROM "+duck.Scan(path)); err != nil {
		t.Fatal(err)
	}
	return list
}

func fails(name, attr, want, config string) stagetest.Case {
	return stagetest.Case{Name: name, Config: config, WantAttr: attr, WantErr: want, Upstreams: upstreams()}
}

func TestType(t *testing.T) {
	stagetest.Run(t, Type(),
		ok("aggregates", "inputs = { bars = stage.bars }\n"+
			`query = "SELECT timestamp::DATE AS day, first(open ORDER BY timestamp) AS open, sum(volume) AS v FROM bars GROUP BY 1;"`,
			"2025-01-01|1|25", "2025-01-02|3|20"),
		ok("orders by all columns", "inputs = { bars = stage.bars }\n"+`query = "FROM bars SELECT open % 2 AS odd, close"`,
			"0|3", "1|2", "1|4"),
		ok("orders by what is asked for", "inputs = { bars = stage.bars }\norder_by = [\"odd desc\"]\n"+`query = "SELECT open % 2 AS odd, close FROM bars"`,
			"1|2", "1|4", "0|3"),
		ok("keeps the query's order", "inputs = { bars = stage.bars }\n"+`query = "SELECT close FROM bars ORDER BY open DESC -- newest first"`,
			"4", "3", "2"),
		ok("missing values come last", "inputs = { bars = stage.bars }\n"+`query = "SELECT tag, open FROM bars"`, "x|1", "y|2", "3"),
		ok("collections have keys", "inputs = { m = stage.months }\n"+`query = "SELECT _key, a, b FROM m"`, "2025-01|1", "2025-01|2", "2025-02|3|z"),
		ok("collections may have empty members", "inputs = { m = stage.halves }\n"+`query = "SELECT _key, a FROM m"`, "february|7"),
		ok("lists have keys", "inputs = { m = [stage.bars, stage.bars] }\n"+`query = "SELECT _key, count(*) AS n FROM m GROUP BY ALL"`, "0|3", "1|3"),
		ok("params are bound", "inputs = { bars = stage.bars }\nparams = { floor = 2.5, name = \"'; DROP TABLE bars; --\", yes = true, n = 2 }\n"+
			`query = "SELECT close, $name AS s, $yes AS y, $n + 1 AS n FROM bars WHERE close >= $floor"`,
			"3|'; DROP TABLE bars; --|true|3", "4|'; DROP TABLE bars; --|true|3"),
		ok("moments are UTC", "inputs = { bars = stage.bars }\n"+
			`query = "SELECT timestamp AT TIME ZONE 'America/New_York' AS ny, timestamp FROM bars WHERE open = 1"`,
			"2025-01-01 05:00:00|2025-01-01 00:00:00"),
		ok("an empty result", "inputs = { bars = stage.bars }\n"+`query = "SELECT close FROM bars WHERE close > 100"`),
		ok("samples with a seed", "inputs = { bars = stage.bars }\n"+`query = "SELECT count(*) AS n FROM bars TABLESAMPLE bernoulli(100%) REPEATABLE (1)"`, "3"),
		ok("words that are names", "inputs = { bars = stage.bars }\n"+`query = "SELECT b.open AS random, 'now()' AS s, close AS current_date /* now() */ FROM bars b -- uuid()"`,
			"1|now()|2", "2|now()|3", "3|now()|4"),

		fails("no SELECT", "query", "line 1, column 1 of the query: the query begins with DROP, and must be a SELECT", body("DROP TABLE bars")),
		fails("no SELECT behind WITH", "query", "line 1, column 27 of the query: INSERT is refused here", body("WITH x AS (SELECT 1 AS a) INSERT INTO bars SELECT * FROM x")),
		fails("two statements", "query", "line 1, column 11 of the query: a second statement begins here", body("SELECT 1; SELECT 2")),
		fails("empty", "query", "the query is empty", body("-- nothing")),
		fails("clock", "query", "line 1, column 8 of the query: now() is refused here: it gives another result in every run", body("SELECT now() FROM bars")),
		fails("clock without parentheses", "query", "current_date is refused here", body("SELECT close FROM bars WHERE timestamp < current_date")),
		fails("chance, spaced and quoted", "query", "random() is refused here", body(`SELECT \"Random\" /* */ () FROM bars`)),
		fails("age", "query", "age() of one date is refused here", body("SELECT age(timestamp) FROM bars")),
		fails("sample", "query", "a sample is another one in every run", body("SELECT * FROM bars USING SAMPLE 2")),
		fails("files", "query", "read_csv() is refused here: a query reads its inputs and nothing else", body("SELECT * FROM read_csv('/etc/passwd')")),
		fails("files by name", "query", "the query may not touch passwd.csv: it can read its inputs and nothing else", body("SELECT * FROM '/etc/passwd.csv'")),
		fails("text as a query", "query", "query() is refused here", body("SELECT * FROM query('SELECT random()')")),
		fails("catalogue", "query", "duckdb_settings tells of the session", body("SELECT * FROM duckdb_settings")),
		fails("unknown table", "query", `line 1, column 15 of the query: there is no table "bar": did you mean "bars"?`, body("SELECT 1 FROM bar")),
		fails("another unknown table", "query", `there is no table "prices": the inputs are bars`, body("SELECT 1 FROM prices")),
		fails("unknown column", "query", `line 1, column 14 of the query: there is no column "clse": did you mean "close"`, body("SELECT open, clse FROM bars")),
		fails("syntax", "query", `line 1, column 15 of the query: syntax error at or near "FROM"`, body("SELECT open + FROM bars")),
		fails("conversion", "query", `Could not convert string 'x' to INT32`, body("SELECT tag::INT AS t FROM bars")),
		fails("open quotation mark", "query", "line 1, column 8 of the query: the quotation mark ' is not closed", body("SELECT 'x FROM bars")),
		fails("missing param", "query", "line 1, column 34 of the query: $floor stands in the query and not in params: add params = { floor = … }",
			body("SELECT * FROM bars WHERE close > $floor")),
		fails("param without a name", "query", "name the parameter", body("SELECT ? FROM bars")),
		fails("unused param", "params.floor", `param "floor" is not used`, body("SELECT 1 FROM bars")+"\nparams = { floor = 1 }"),
		fails("param of a wrong type", "params.floor", `param "floor" is tuple, and must be a string, a number or a boolean`,
			body("SELECT $floor FROM bars")+"\nparams = { floor = [1] }"),
		fails("two orders", "order_by", "the query has an ORDER BY of its own", body("SELECT * FROM bars ORDER BY 1")+"\norder_by = [\"close\"]"),
		fails("order by an unknown column", "", `order_by[0]: the result has no column "opn": did you mean "open"?`, body("SELECT open FROM bars")+"\norder_by = [\"opn\"]"),
		fails("no input", "inputs", "there is no input", "inputs = {}\nquery = \"SELECT 1\""),
		fails("input of a wrong type", "inputs.bars", `input "bars" must be a reference such as stage.bars`, "inputs = { bars = \"x\" }\nquery = \"SELECT 1\""),
		fails("inputs that are no map", "inputs", "the inputs must be a map", "inputs = stage.bars\nquery = \"SELECT 1\""),
		fails("inputs that differ in case", "inputs", "the same name in SQL", "inputs = { bars = stage.bars, Bars = stage.bars }\nquery = \"SELECT 1\""),
		fails("no table", "", `input "f" has no table`, "inputs = { f = stage.files }\nquery = \"SELECT 1 FROM f\""),
		fails("empty input", "", `input "e": x.json holds neither rows nor columns`, "inputs = { e = stage.empty }\nquery = \"SELECT 1 FROM e\""),
		fails("taken key", "", `input "k[\"k\"]" has a column _key`, "inputs = { k = stage.keyed }\nquery = \"SELECT 1 FROM k\""),
		fails("broken input", "", `input "b": broken.csv, line 2: the row has 1 field, and the first line has 2`, "inputs = { b = input.broken }\nquery = \"SELECT 1 FROM b\""),
	)
}

func body(query string) string {
	return fmt.Sprintf("inputs = { bars = stage.bars }\nquery = \"%s\"", query)
}

// Every function that DuckDB says depends on more than its arguments must be refused, and every table function but those
// that make tables of their arguments.
func TestNoFunctionEscapes(t *testing.T) {
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	harmless := map[string]bool{"error": true, // fails always
		"range": true, "generate_series": true, "unnest": true, "json_each": true, "json_tree": true, "histogram": true,
		"histogram_values": true, "repeat": true, "repeat_row": true, "summary": true}
	var names []string
	err = db.Fetch(t.Context(), []any{&names}, `SELECT DISTINCT function_name FROM duckdb_functions()
		WHERE coalesce(stability, '') IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY') OR function_type IN ('table', 'table_macro')
		ORDER BY 1`)
	if err != nil || len(names) < 50 {
		t.Fatalf("%d functions, %v", len(names), err)
	}
	for _, n := range names {
		if !harmless[n] && !forbiddenCall(n) {
			t.Errorf("%s() is not refused", n)
		}
	}
	var macros []string
	err = db.Fetch(t.Context(), []any{&macros}, `SELECT DISTINCT function_name FROM duckdb_functions()
		WHERE function_type = 'macro' AND regexp_matches(macro_definition, 'current_[a-z]+\(|random|\bnow\(|today|duckdb_|get_current|setting') ORDER BY 1`)
	if err != nil || len(macros) == 0 {
		t.Fatalf("%v, %v", macros, err)
	}
	for _, n := range macros {
		if !forbiddenCall(n) {
			t.Errorf("the macro %s() is not refused", n)
		}
	}
}

func FuzzLex(f *testing.F) {
	for _, q := range []string{"SELECT 'a''b', \"x\"\"y\", $$now()$$, $t$ '$t$, e'\\'', $p /* /* */ */ FROM t -- x\n;", "(", "1e5", "$", "'", "é"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		tokens, err := lex(q)
		if err != nil {
			if !strings.Contains(err.Error(), "of the query") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		for _, tok := range tokens {
			if tok.offset < 0 || tok.offset >= len(q) || tok.line < 1 || tok.column < 1 {
				t.Errorf("a token without a place: %+v", tok)
			}
		}
	})
}

func TestLex(t *testing.T) {
	tokens, err := lex("SELECT 'a''b', e'\\'', \"x\"\"Y\",\n $$now()$$, $t$ '$t$, $p1, 1e5 /* /* */ */ -- x")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tok := range tokens {
		got = append(got, fmt.Sprintf("%d:%d %d %s", tok.line, tok.column, tok.kind, tok.text))
	}
	want := []string{"1:1 0 select", "1:8 2 a'b", "1:14 4 ,", "1:16 2 \\'", "1:21 4 ,", "1:23 1 x\"y", "1:29 4 ,",
		"2:2 2 ", "2:11 4 ,", "2:13 2 ", "2:21 4 ,", "2:23 3 p1", "2:26 4 ,"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Sums of floating-point numbers over more than one row group must not depend on the machine.
func TestLargeSumsAreDeterministic(t *testing.T) {
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "x.parquet")
	if _, err := db.WriteParquet(t.Context(), path, "SELECT range % 7 AS k, sin(range) * 1e6 AS x FROM range(600000)"); err != nil {
		t.Fatal(err)
	}
	v, err := stagetest.Decode(Type(), "inputs = { t = stage.t }\nquery = \"SELECT k, sum(x) AS s, avg(x) AS m, stddev(x) AS d FROM t GROUP BY k\"")
	if err != nil {
		t.Fatal(err)
	}
	runner, err := Type().Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	var first []string
	for range 5 {
		out := &stage.Output{Dir: t.TempDir()}
		u := stagetest.Table("x.parquet", "", 600000)
		in := stage.Inputs{{Label: "t", Artifact: u.Artifact(), Dir: filepath.Dir(path)}}
		start := time.Now()
		if err := runner.Run(t.Context(), stage.Env{Scratch: t.TempDir()}, in, out); err != nil {
			t.Fatal(err)
		}
		got := rows(t, out.Path("data.parquet"))
		if first == nil {
			first = got
			t.Logf("600,000 rows in %s", time.Since(start))
		}
		if d := cmp.Diff(first, got); d != "" || len(got) != 7 {
			t.Fatal(d)
		}
	}
}
