package duck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/stages/internal/duck"
)

func session(t *testing.T, o duck.Options) *duck.DB {
	t.Helper()
	if o.Scratch == "" {
		o.Scratch = t.TempDir()
	}
	db, err := duck.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func sample(rows int) []duck.Series {
	at, price := make(duck.Seconds, rows), make([]float64, rows)
	count, name, up := make([]int64, rows), make([]string, rows), make([]bool, rows)
	for i := range rows {
		at[i], price[i] = 1735689600+int64(i)*3600, 1+math.Sin(float64(i))/7
		count[i], name[i], up[i] = int64(i)-5, fmt.Sprintf("n%d'\"%c", i%13, rune(0x41+i%500)), i%3 == 0
		if i%11 == 0 {
			price[i] = math.NaN()
		}
	}
	return []duck.Series{{Name: "timestamp", Values: at}, {Name: "price", Values: price}, {Name: "n", Values: count}, {Name: `odd "name"`, Values: name}, {Name: "up", Values: up}}
}

// Files must have equal bytes in every directory, session and number of threads: they are named by their digest.
func TestParquetIsDeterministic(t *testing.T) {
	var first, firstQuery []byte
	for i, threads := range []int{1, 1, 2, 8} {
		db := session(t, duck.Options{Threads: threads})
		path := filepath.Join(t.TempDir(), fmt.Sprintf("out%d.parquet", i))
		cols := sample(300_000)
		n, err := db.WriteColumns(t.Context(), path, cols...)
		if err != nil || n != 300_000 {
			t.Fatalf("%d rows, %v", n, err)
		}
		query := filepath.Join(t.TempDir(), "query.parquet")
		_, err = db.WriteParquet(t.Context(), query, "SELECT date_trunc('day', timestamp) AS day, max(price) AS top, count(*) AS n FROM "+duck.Scan(path)+" GROUP BY ALL ORDER BY ALL")
		if err != nil {
			t.Fatal(err)
		}
		got, gotQuery := read(t, path), read(t, query)
		if i == 0 {
			first, firstQuery = got, gotQuery
		}
		if !bytes.Equal(first, got) || !bytes.Equal(firstQuery, gotQuery) {
			t.Errorf("with %d threads the bytes differ", threads)
		}
		if bytes.Contains(got, []byte(filepath.Dir(path))) {
			t.Error("the file holds its directory")
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestColumnsRoundTrip(t *testing.T) {
	db := session(t, duck.Options{})
	path, cols := filepath.Join(t.TempDir(), "it's.parquet"), sample(5000)
	if _, err := db.WriteColumns(t.Context(), path, cols...); err != nil {
		t.Fatal(err)
	}
	table, err := db.Table(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	want := []duck.Column{{"timestamp", "TIMESTAMP"}, {"price", "DOUBLE"}, {"n", "BIGINT"}, {`odd "name"`, "VARCHAR"}, {"up", "BOOLEAN"}}
	if d := cmp.Diff(want, table.Columns); d != "" {
		t.Error(d)
	}
	var at duck.Seconds
	var price, nAsFloat []float64
	var n []int64
	var name []string
	var up []bool
	var when []time.Time
	err = db.Fetch(t.Context(), []any{&at, &price, &n, &name, &up, &nAsFloat, &when}, "SELECT *, n, timestamp FROM "+table.SQL)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range []any{at, price, n, name, up} {
		if d := cmp.Diff(cols[i].Values, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); d != "" {
			t.Error(d)
		}
	}
	if nAsFloat[7] != float64(n[7]) || when[9].Unix() != at[9] || when[9].Location() != time.UTC {
		t.Errorf("got %v and %v", nAsFloat[7], when[9])
	}
	var nulls int64
	if err := db.Row(t.Context(), []any{&nulls}, "SELECT count(*) FROM "+table.SQL+" WHERE price IS NULL"); err != nil || nulls != 455 {
		t.Errorf("%d nulls, want 455 (%v)", nulls, err)
	}
}

func TestMomentsAreUTCWhateverTheFormat(t *testing.T) {
	db := session(t, duck.Options{})
	for name, content := range map[string]string{
		"a.json":   `[{"t": "2025-06-01T02:00:00+02:00"}]`,
		"b.ndjson": `{"t": "2025-06-01T00:00:00Z"}`,
		"c.csv":    "t\n2025-06-01T00:00:00Z\n",
		"d.csv":    "t\n2025-06-01 00:00:00\n",
	} {
		table, err := db.Table(t.Context(), file(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		var at duck.Seconds
		if err := db.Fetch(t.Context(), []any{&at}, "SELECT t FROM "+table.SQL); err != nil {
			t.Fatal(err)
		}
		if table.Columns[0].Type != "TIMESTAMP" || at[0] != 1748736000 {
			t.Errorf("%s: %v %v", name, table.Columns, at)
		}
	}
}

func TestErrors(t *testing.T) {
	db := session(t, duck.Options{})
	whole := filepath.Join(t.TempDir(), "whole.parquet")
	if _, err := db.WriteColumns(t.Context(), whole, sample(20_000)...); err != nil {
		t.Fatal(err)
	}
	content := string(read(t, whole))
	damaged := content[:40] + strings.Repeat("x", 500) + content[540:]
	for _, c := range []struct{ name, content, want string }{
		{"a.parquet", content[:len(content)/2], "a.parquet is no whole Parquet file: it was cut off while it was written, or has another format. Write it again, or set format"},
		{"b.parquet", "PAR1", "b.parquet is no Parquet file: it is too short. Write it again, or set format"},
		{"c.parquet", damaged, "c.parquet is damaged (ZSTD Decompression failure): write it again"},
		{"a.csv", "a,b\n1,2\n3,4,5\n6,7\n", `a.csv, line 3: the row has 3 fields, and the first line has 2. Correct the row, or quote a value that holds the delimiter ","`},
		{"b.csv", "a,b\n1,2\n3\n6,7\n", `b.csv, line 3: the row has 1 field, and the first line has 2. Correct the row, or quote a value that holds the delimiter ","`},
		{"c.csv", "a,b\n1,\"x\n2,3\n", "c.csv, line 2: a quoted field is not closed, or something follows its closing quotation mark"},
		{"d.csv", "a,b\n1,\xff\xfe\n2,3\n", "d.csv, line 2: field 2 is not UTF-8: convert the file to UTF-8"},
		{"e.csv.gz", "a,b\n1,2\n1,2\n1,2\n", "e.csv.gz ends in .gz and is not packed with gzip: gzip: invalid header"},
		{"a.json", `{"a":1}`, `a.json holds no JSON array: it begins with '{'. Put the objects between [ and ], or set format = "ndjson" if the file has one object a line`},
		{"b.json", `[1, 2]`, `the array in b.json does not hold objects: its first element begins with '1', and each element must be an object of columns`},
		{"c.json", `[{"a":1}, 2]`, `not every element is a JSON object: each row must be an object of columns`},
		{"d.json", `[{"a":1},{"a":2`, `d.json is no valid JSON: unexpected end of data at byte 7 of row 3`},
		{"e.json", `[`, `e.json is cut off: its array has no closing bracket`},
		{"a.ndjson", "{\"a\":1}\n{\"a\":2\n{\"a\":3}\n", `a.ndjson is no valid JSON: unexpected character at byte 8 of row 3`},
		{"b.ndjson", `[{"a":1}]`, `b.ndjson begins with "[", so it is no NDJSON: set format = "json"`},
		{"a.txt", "", "a.txt is no table: its ending is none of .json, .ndjson, .jsonl, .csv, .parquet"},
	} {
		table, err := db.Table(t.Context(), file(t, c.name, c.content))
		if err == nil {
			_, err = db.Verify(t.Context(), table)
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestMissing(t *testing.T) {
	db := session(t, duck.Options{})
	_, err := db.Table(t.Context(), filepath.Join(t.TempDir(), "gone.csv"))
	if err == nil || err.Error() != "gone.csv cannot be read: no such file or directory" {
		t.Error(err)
	}
	table, err := db.Table(t.Context(), file(t, "bars.json", `[{"close": 1, "volume": 2}]`))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Require("CLOSE", "clos"); err == nil || err.Error() != `bars.json has no column "clos": did you mean "close"?` {
		t.Error(err)
	}
	if err := table.Require("spread"); err == nil || err.Error() != `bars.json has no column "spread": its columns are close, volume` {
		t.Error(err)
	}
	for _, empty := range []string{"a.json:[]", "b.json:", "c.csv:", "d.ndjson:\n"} {
		name, content, _ := strings.Cut(empty, ":")
		table, err := db.Table(t.Context(), file(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := db.Count(t.Context(), table.SQL); n != 0 || err != nil || len(table.Columns) != 0 {
			t.Errorf("%s: %d rows, %v, %v", name, n, table.Columns, err)
		}
	}
}

func TestQueryErrorsHaveAPlace(t *testing.T) {
	db := session(t, duck.Options{})
	long := "SELECT " + strings.Repeat("a + ", 60) + "b FROM (SELECT 1 AS a)"
	for _, c := range []struct {
		query, text  string
		line, column int
	}{
		{"SELECT clse\nFROM (SELECT 1 AS close)", `there is no column "clse": did you mean "close"?`, 1, 8},
		{"SELECT a,\n  foo(a) FROM (SELECT 1 AS a)", `there is no function "foo": did you mean "floor"?`, 2, 3},
		{"SELECT 1 FROM\n\nnope", `there is no table "nope"`, 3, 1},
		{"SELEC 1", `syntax error at or near "SELEC"`, 1, 1},
		{long, `there is no column "b": did you mean "a"?`, 1, strings.Index(long, "b FROM") + 1},
	} {
		_, err := db.Query(t.Context(), c.query)
		var e *duck.Error
		if !errors.As(err, &e) || e.Text != c.text || e.Line != c.line || e.Column != c.column {
			t.Errorf("%s:\n got %+v\nwant %+v", c.query, err, c)
		}
	}
}

func TestRestrictedSession(t *testing.T) {
	dir := t.TempDir()
	in, out, secret := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.parquet"), filepath.Join(dir, "secret.csv")
	for _, p := range []string{in, secret} {
		if err := os.WriteFile(p, []byte("a\n1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db := session(t, duck.Options{Only: []string{in, out}})
	if n, err := db.WriteParquet(t.Context(), out, "SELECT * FROM "+duck.Scan(in)); n != 1 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	for _, q := range []string{
		"SELECT * FROM " + duck.Scan(secret),
		"SELECT * FROM " + duck.Literal(secret),
		"SELECT * FROM glob(" + duck.Literal(dir+"/*") + ")",
		"SELECT * FROM read_text(" + duck.Literal(secret) + ")",
		"COPY (SELECT 1) TO " + duck.Literal(filepath.Join(dir, "new.csv")),
		"ATTACH " + duck.Literal(filepath.Join(dir, "new.db")),
		"SET enable_external_access = true",
		"SET allowed_paths = ['/']",
		"SET threads = 4",
		"INSTALL httpfs", "LOAD httpfs",
	} {
		err := db.Exec(t.Context(), q)
		if err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestCancellation(t *testing.T) {
	db := session(t, duck.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := db.Exec(ctx, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestSpillsIntoScratchOnly(t *testing.T) {
	scratch := t.TempDir()
	db := session(t, duck.Options{Scratch: scratch, Memory: 64 << 20, Only: []string{}})
	var n int64
	err := db.Row(t.Context(), []any{&n}, "SELECT count(*) FROM (SELECT range AS a, md5(range::VARCHAR) AS b FROM range(2000000) ORDER BY b, a)")
	if err != nil || n != 2_000_000 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func BenchmarkFetch(b *testing.B) {
	db, err := duck.Open(b.Context(), duck.Options{Scratch: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(b.TempDir(), "x.parquet")
	_, err = db.WriteParquet(b.Context(), path, "SELECT range AS a, "+strings.Repeat("range * 1.1::DOUBLE AS c, ", 19)+"1 AS z FROM range(57600)")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cols := make([][]float64, 21)
		dest := make([]any, 21)
		for i := range cols {
			dest[i] = &cols[i]
		}
		if err := db.Fetch(b.Context(), dest, "SELECT * FROM "+duck.Scan(path)); err != nil {
			b.Fatal(err)
		}
	}
}
