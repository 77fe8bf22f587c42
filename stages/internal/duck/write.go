package duck

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// WriteParquet writes the rows of a query to a file, in their order, and returns their number. Equal rows give equal
// bytes; the query must order them, or come from one table in the order in which it was filled.
func (db *DB) WriteParquet(ctx context.Context, path, query string, args ...any) (int64, error) {
	copy := "COPY (" + query + "\n) TO " + Literal(path) + " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
	var n int64
	err := db.Row(ctx, []any{&n}, copy, args...)
	return n, err
}

// Series is a named column held in Go. Values is []float64 (NaN becomes NULL), []int64, []string, []bool, []time.Time or
// Seconds (both become TIMESTAMP in UTC).
type Series struct {
	Name   string
	Values any
}

// WriteColumns writes columns of equal length to a Parquet file and returns the number of rows.
func (db *DB) WriteColumns(ctx context.Context, path string, columns ...Series) (int64, error) {
	const table = "pipe_write_columns"
	if err := db.Load(ctx, table, columns...); err != nil {
		return 0, err
	}
	n, err := db.WriteParquet(ctx, path, "SELECT * FROM "+table)
	if err != nil {
		return n, err
	}
	return n, db.Exec(ctx, "DROP TABLE "+table)
}

// Load makes a table of columns of equal length.
func (db *DB) Load(ctx context.Context, table string, columns ...Series) error {
	defs := make([]string, 0, len(columns))
	cells := make([]func(int) driver.Value, 0, len(columns))
	rows := -1
	for _, c := range columns {
		ty, n, cell := c.column()
		if cell == nil {
			return fmt.Errorf("column %q: a table cannot hold %T", c.Name, c.Values)
		}
		if rows >= 0 && n != rows {
			return fmt.Errorf("column %q has %d values, and the columns before it have %d", c.Name, n, rows)
		}
		rows = n
		defs, cells = append(defs, Ident(c.Name)+" "+ty), append(cells, cell)
	}
	if len(columns) == 0 {
		return fmt.Errorf("a table needs a column")
	}
	if err := db.Exec(ctx, "CREATE TABLE "+Ident(table)+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	return db.Raw(ctx, func(conn *duckdb.Conn) error { return fill(ctx, conn, table, rows, cells) })
}

func fill(ctx context.Context, conn *duckdb.Conn, table string, rows int, cells []func(int) driver.Value) (err error) {
	app, err := duckdb.NewAppenderFromConn(conn, "", table)
	if err != nil {
		return fmt.Errorf("filling a table: %w", err)
	}
	defer func() {
		if cerr := app.CloseWithCancel(ctx); err == nil && cerr != nil {
			err = fmt.Errorf("filling a table: %w", translate(ctx, "", cerr))
		}
	}()
	row := make([]driver.Value, len(cells))
	for i := range rows {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for k, cell := range cells {
			row[k] = cell(i)
		}
		if err := app.AppendRow(row...); err != nil {
			return fmt.Errorf("filling a table, row %d: %w", i+1, err)
		}
	}
	return nil
}

// column returns the SQL type, the length and the reader of cells of a column.
func (s Series) column() (string, int, func(int) driver.Value) {
	switch v := s.Values.(type) {
	case []float64:
		return "DOUBLE", len(v), func(i int) driver.Value {
			if math.IsNaN(v[i]) {
				return nil
			}
			return v[i]
		}
	case []int64:
		return "BIGINT", len(v), func(i int) driver.Value { return v[i] }
	case []string:
		return "VARCHAR", len(v), func(i int) driver.Value { return v[i] }
	case []bool:
		return "BOOLEAN", len(v), func(i int) driver.Value { return v[i] }
	case []time.Time:
		return "TIMESTAMP", len(v), func(i int) driver.Value { return v[i].UTC() }
	case Seconds:
		return "TIMESTAMP", len(v), func(i int) driver.Value { return time.Unix(v[i], 0).UTC() }
	}
	return "", 0, nil
}
