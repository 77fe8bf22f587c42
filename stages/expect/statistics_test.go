package expect

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"pipe/stages/internal/duck"
)

// TestStatisticsThatAreBelieved: nulls of every writer; ranges of whole numbers and moments of every writer, and of
// floating-point numbers of this one where no value is NaN or infinite.
func TestStatisticsThatAreBelieved(t *testing.T) {
	ctx := context.Background()
	db, err := duck.Open(ctx, duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	own := filepath.Join(t.TempDir(), "own [1]*.parquet")
	if err := db.Exec(ctx, `COPY (SELECT i::DOUBLE AS x, CASE WHEN i = 30000 THEN 'NaN'::DOUBLE ELSE i END AS nan, CASE WHEN i = 3 THEN 'inf'::FLOAT ELSE i END AS inf,
		CASE WHEN i < 30000 THEN NULL ELSE i::FLOAT END AS half, NULL::DOUBLE AS empty, 'a' || i AS s, TIMESTAMP '2025-01-01' AS t, {'x': 'NaN'::DOUBLE} AS st, 1.5::DOUBLE AS "st, x", [i] AS l
		FROM range(40000) t(i)) TO `+duck.Literal(own)+` (FORMAT parquet, ROW_GROUP_SIZE 10240)`); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		own: "x 0 true, nan 0 false, inf 0 false, half 30000 true, empty 40000 true, s 0 false, t 0 true, st - false, st, x - false, l - false, ", // of the column that is spelled like a field nothing is known
		"testdata/nan_outside_statistics.parquet": "x 0 false, n 0 true, ",
	} {
		s, err := open(ctx, db, path)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range s.info.Columns {
			nulls := "-"
			if n, ok := s.nulls[c.Name]; ok {
				nulls = fmt.Sprint(n)
			}
			got += fmt.Sprintf("%s %s %v, ", c.Name, nulls, s.ranged[c.Name])
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", filepath.Base(path), got, want)
		}
	}
}
