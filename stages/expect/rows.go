package expect

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// kind is what a column holds, as far as comparisons go.
type kind int

const (
	other kind = iota
	numeric
	text
	moment
	boolean
)

func kindOf(sqlType string) kind {
	switch base, _, _ := strings.Cut(sqlType, "("); base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
		"FLOAT", "DOUBLE", "DECIMAL":
		return numeric
	case "VARCHAR", "UUID":
		return text
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "DATE":
		return moment
	case "BOOLEAN":
		return boolean
	}
	return other
}

// literal renders a value of an expectation for comparison with a column. Numbers are checked, texts are quoted: nothing
// of a plan file is spliced into SQL as it stands.
func literal(v any, c duck.Column, k kind) (string, error) {
	switch v := v.(type) {
	case json.Number:
		if k != numeric {
			return "", fmt.Errorf("the column %s is %s, and %s is a number", c.Name, c.Type, v)
		}
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return "", fmt.Errorf("%s is not a number that can be compared with", v)
		}
		if i, ok := new(big.Int).SetString(v.String(), 10); ok && i.IsInt64() {
			return i.String(), nil
		}
		return "CAST(" + duck.Literal(v.String()) + " AS DOUBLE)", nil
	case string:
		switch k {
		case text:
			return duck.Literal(v), nil
		case moment:
			return "CAST(" + duck.Literal(v) + " AS TIMESTAMP)", nil
		}
		return "", fmt.Errorf("the column %s is %s, and %q is a text", c.Name, c.Type, v)
	case bool:
		if k != boolean {
			return "", fmt.Errorf("the column %s is %s, and %v is true or false", c.Name, c.Type, v)
		}
		return strings.ToUpper(fmt.Sprint(v)), nil
	}
	return "", fmt.Errorf("%v can't be compared with the column %s", v, c.Name)
}

// failingRows adds the first unexpected rows, whole and with their numbers, to the result.
func (s *session) failingRows(ctx context.Context, m *measure) error {
	from := s.numbered()
	bad := m.bad
	if m.window != "" {
		from = fmt.Sprintf("(SELECT *, %s AS __pipe_w FROM %s)", m.window, from)
		bad = strings.ReplaceAll(bad, windowName, "__pipe_w")
	}
	names := s.info.Names()
	query := fmt.Sprintf("SELECT %s, %s FROM %s s WHERE %s ORDER BY %s LIMIT %d", rowNumber, strings.Join(idents(names), ", "), from, bad,
		rowNumber, check.MaxRows)
	rows, err := s.db.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row := check.Row{Columns: names, Values: make([]any, len(names))}
		dest := []any{&row.Number}
		for i := range row.Values {
			dest = append(dest, &row.Values[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return duck.Translate(ctx, query, err)
		}
		var listed []any
		for i, v := range row.Values {
			row.Values[i] = plain(v)
			for _, c := range m.columns {
				if c == names[i] {
					listed = append(listed, row.Values[i])
				}
			}
		}
		m.result.PartialUnexpectedRows = append(m.result.PartialUnexpectedRows, row)
		m.result.PartialUnexpectedList = append(m.result.PartialUnexpectedList, single(listed))
	}
	return duck.Translate(ctx, query, rows.Err())
}

func single(values []any) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// plain turns a value of the driver into one that JSON can hold: numbers, texts, booleans, null.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64:
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case float32:
		return plain(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		return v
	case time.Time:
		if v.Nanosecond() == 0 {
			return v.UTC().Format("2006-01-02T15:04:05Z")
		}
		return v.UTC().Format("2006-01-02T15:04:05.999999999Z")
	case duckdb.Decimal:
		return json.Number(v.String())
	case *big.Int:
		return json.Number(v.String())
	case []byte:
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}
