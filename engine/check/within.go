package check

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Within reports whether an observed number lies between numeric bounds. NaN lies between none.
func (a Args) Within(x float64) (bool, error) { return a.Holds(x) }

// Holds reports whether an observed value lies between the bounds. A value is a number (float64, int64, json.Number), a
// time.Time or a string. Numbers are compared exactly, whatever their size, and NaN lies between no bounds. The error is
// about a bound of another kind than the value.
func (a Args) Holds(value any) (bool, error) {
	if f, ok := value.(float64); ok && math.IsNaN(f) {
		return false, nil
	}
	if a.MinValue != nil {
		c, err := compareWith(value, a.MinValue)
		if err != nil || c < 0 || (c == 0 && a.StrictMin) {
			return false, err
		}
	}
	if a.MaxValue != nil {
		c, err := compareWith(value, a.MaxValue)
		if err != nil || c > 0 || (c == 0 && a.StrictMax) {
			return false, err
		}
	}
	return true, nil
}

// compareWith orders an observed value and a bound.
func compareWith(value, bound any) (int, error) {
	switch v := value.(type) {
	case string:
		if s, ok := bound.(string); ok {
			return strings.Compare(v, s), nil
		}
	case time.Time:
		if s, ok := bound.(string); ok {
			t, err := ParseMoment(s)
			return v.Compare(t), err
		}
	default:
		n, ok := bound.(json.Number)
		if !ok {
			break
		}
		return compareNumbers(value, n)
	}
	return 0, fmt.Errorf("the bound %s can't be compared with %s", Spell(bound), kindName(value))
}

func kindName(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case time.Time:
		return "a date or time"
	}
	return "a number"
}

func compareNumbers(value any, bound json.Number) (int, error) {
	if f, ok := value.(float64); ok && math.IsInf(f, 0) {
		if f > 0 {
			return 1, nil
		}
		return -1, nil
	}
	x, err := exact(value)
	if err != nil {
		return 0, err
	}
	y, err := exact(bound)
	if err != nil {
		return 0, err
	}
	// A fraction that a plan file writes in decimal means the float64 next to it when a float64 is looked at: 0.1 is
	// equal to 0.1.
	if _, isFloat := value.(float64); isFloat && !y.IsInt() {
		f, _ := y.Float64()
		y = new(big.Rat).SetFloat64(f)
	}
	return x.Cmp(y), nil
}

// maxDigits bounds what is computed exactly: a number of a table has fewer digits.
const maxDigits = 400

func exact(v any) (*big.Rat, error) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), nil
	case float64:
		return new(big.Rat).SetFloat64(v), nil
	case json.Number:
		f, err := v.Float64()
		if err != nil || len(v) > maxDigits {
			return nil, fmt.Errorf("the number %.20s is out of range", v)
		}
		if f == 0 {
			return new(big.Rat), nil // also what is too small to be told from zero
		}
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%v is not a number", v)
}

// ParseMoment reads a date or a time in ISO 8601, such as 2025-01-01, 2025-01-01 13:00 or 2025-01-01T13:00:00.5+09:00.
// Without a zone it means UTC.
func ParseMoment(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
		"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date or time: write it as 2025-01-31 or 2025-01-31T13:00:00Z", s)
}
