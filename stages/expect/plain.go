package expect

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// shown is the expression by which a column of failing rows is read: values that JSON has no form for as the text that
// SQL gives them, and nested ones as JSON.
func shown(c duck.Column) string {
	col := duck.Ident(c.Name)
	switch kind := kindOf(c.Type); {
	case kind == numeric, kind == boolean, c.Type == "VARCHAR", c.Type == "BLOB", strings.HasPrefix(c.Type, "TIMESTAMP"):
		return col
	case nested(c.Type):
		return "CAST(to_json(" + col + ") AS VARCHAR)"
	}
	return "CAST(" + col + " AS VARCHAR)"
}

func nested(sqlType string) bool {
	return strings.HasSuffix(sqlType, "]") || strings.HasPrefix(sqlType, "STRUCT(") || strings.HasPrefix(sqlType, "MAP(") ||
		strings.HasPrefix(sqlType, "UNION(") || sqlType == "JSON"
}

// plainOf is a value that was read by shown.
func plainOf(c duck.Column, v any) any {
	text, ok := v.(string)
	if !ok || !nested(c.Type) {
		return plain(v)
	}
	var x any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&x) != nil {
		return text // such as a list that holds NaN
	}
	return x
}

// plain turns a value of the driver into one that JSON can hold and that is the same on every machine: a number, a text,
// true or false, null.
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
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case *big.Int:
		return json.Number(v.String())
	case duckdb.Decimal:
		return json.Number(v.String())
	case float32, float64:
		f := float(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return f
	case time.Time:
		return check.SpellMoment(v)
	case []byte:
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}

// float is a floating-point number of the driver. A FLOAT is the shortest number that means it: 0.1, not
// 0.10000000149011612. Zero has no sign, because which of the two a minimum gives depends on the order of the rows.
func float(v any) float64 {
	f, ok := v.(float64)
	if single, is := v.(float32); is {
		var err error
		if f, err = strconv.ParseFloat(strconv.FormatFloat(float64(single), 'g', -1, 32), 64); err != nil {
			f = float64(single)
		}
	} else if !ok {
		return math.NaN()
	}
	if f == 0 {
		return 0
	}
	return f
}
