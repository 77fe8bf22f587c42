package duck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Seconds is a column of moments as Unix seconds. In files it is a TIMESTAMP.
type Seconds []int64

// Fetch appends the columns of a query to slices. dest has a pointer for each column: *[]float64 (any number; NULL
// becomes NaN), *[]int64, *[]string, *[]bool, *[]time.Time or *Seconds; for these NULL is an error. Moments are UTC.
func (db *DB) Fetch(ctx context.Context, dest []any, query string, args ...any) error {
	return db.Raw(ctx, func(conn *duckdb.Conn) error {
		rows, err := conn.QueryContext(ctx, query, named(args))
		if err != nil {
			return translate(ctx, query, err)
		}
		defer rows.Close()
		names := rows.Columns()
		if len(names) != len(dest) {
			return fmt.Errorf("the query gives %d columns, and %d are fetched", len(names), len(dest))
		}
		vals := make([]driver.Value, len(dest))
		for n := 1; ; n++ {
			if n%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			switch err := rows.Next(vals); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return translate(ctx, query, err)
			}
			for i, v := range vals {
				if err := add(dest[i], v); err != nil {
					return fmt.Errorf("row %d, column %q: %w", n, names[i], err)
				}
			}
		}
	})
}

func named(args []any) []driver.NamedValue {
	vals := make([]driver.NamedValue, 0, len(args))
	for i, a := range args {
		nv := driver.NamedValue{Ordinal: i + 1, Value: a}
		if n, ok := a.(sql.NamedArg); ok {
			nv.Name, nv.Value = n.Name, n.Value
		}
		vals = append(vals, nv)
	}
	return vals
}

// add appends one value to the slice behind dest.
func add(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *[]float64:
		f, err := toFloat(v)
		*d = append(*d, f)
		return err
	case *[]int64:
		n, err := toInt(v)
		*d = append(*d, n)
		return err
	case *[]string:
		return appendTo(d, v, "text")
	case *[]bool:
		return appendTo(d, v, "true or false")
	case *[]time.Time:
		return appendTo(d, v, "a timestamp")
	case *Seconds:
		t, ok := v.(time.Time)
		if !ok {
			return notA(v, "a timestamp")
		}
		*d = append(*d, t.Unix())
		return nil
	}
	return fmt.Errorf("%T cannot be fetched into", dest)
}

func appendTo[T any](d *[]T, v driver.Value, what string) error {
	t, ok := v.(T)
	if !ok {
		return notA(v, what)
	}
	*d = append(*d, t)
	return nil
}

func notA(v driver.Value, what string) error {
	if v == nil {
		return fmt.Errorf("the value is null, and must be %s", what)
	}
	return fmt.Errorf("the value %v is not %s", v, what)
}

func toFloat(v driver.Value) (float64, error) {
	switch x := v.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		return x, nil
	case float32:
		return float64(x), nil
	case duckdb.Decimal:
		return x.Float64(), nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, nil
	case uint64:
		return float64(x), nil
	}
	n, err := toInt(v)
	if err != nil {
		return 0, notA(v, "a number")
	}
	return float64(n), nil
}

func toInt(v driver.Value) (int64, error) {
	switch x := v.(type) {
	case int64:
		return x, nil
	case int32:
		return int64(x), nil
	case int16:
		return int64(x), nil
	case int8:
		return int64(x), nil
	case uint32:
		return int64(x), nil
	case uint16:
		return int64(x), nil
	case uint8:
		return int64(x), nil
	case uint64:
		if x <= math.MaxInt64 {
			return int64(x), nil
		}
	case *big.Int:
		if x.IsInt64() {
			return x.Int64(), nil
		}
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), nil
		}
	}
	return 0, notA(v, "a whole number")
}
