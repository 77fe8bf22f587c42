package check

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Args are the arguments of an expectation as an Evaluator reads them.
type Args struct {
	Column     string   `json:"column"`
	ColumnA    string   `json:"column_A"`
	ColumnB    string   `json:"column_B"`
	ColumnList []string `json:"column_list"`
	ColumnSet  []string `json:"column_set"`
	ExactMatch bool     `json:"exact_match"`
	MinValue   any      `json:"min_value"` // json.Number, string or nil
	MaxValue   any      `json:"max_value"`
	StrictMin  bool     `json:"strict_min"`
	StrictMax  bool     `json:"strict_max"`
	Strictly   bool     `json:"strictly"`
	OrEqual    bool     `json:"or_equal"`
	Mostly     *float64 `json:"mostly"`
	Regex      string   `json:"regex"`
	ValueSet   []any    `json:"value_set"`
	Value      int64    `json:"value"`
	Metric     string   `json:"metric"`
}

// ParseArgs reads the canonical arguments of e.
func ParseArgs(e Expectation) (Args, error) {
	var a Args
	dec := json.NewDecoder(strings.NewReader(string(e.Args)))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil {
		return a, fmt.Errorf("the arguments of %s can't be read: %w", e.Type, err)
	}
	return a, nil
}

// Share returns mostly, 1 by default.
func (a Args) Share() float64 {
	if a.Mostly == nil {
		return 1
	}
	return *a.Mostly
}

// Bounds spells the allowed interval: 0.5..2, >= 1.2, < 0.12.
func (a Args) Bounds() string {
	low, high := Spell(a.MinValue), Spell(a.MaxValue)
	switch {
	case a.MinValue == nil && a.StrictMax:
		return "< " + high
	case a.MinValue == nil:
		return "<= " + high
	case a.MaxValue == nil && a.StrictMin:
		return "> " + low
	case a.MaxValue == nil:
		return ">= " + low
	}
	s := low + ".." + high
	switch {
	case a.StrictMin && a.StrictMax:
		return s + ", both ends left out"
	case a.StrictMin:
		return s + ", the lower end left out"
	case a.StrictMax:
		return s + ", the upper end left out"
	}
	return s
}

// Spell prints an argument or an observed value for people.
func Spell(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'g', 6, 64)
	case json.Number:
		return v.String()
	case int64:
		return Group(v)
	}
	return fmt.Sprint(v)
}

// Group prints a count with separators: 57,600.
func Group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// About names what the expectation is about, with its main arguments: column_values_to_be_between(close, 0.5..2). It is
// one line whatever the arguments hold.
func About(e Expectation, a Args) string {
	var parts []string
	for _, p := range []string{a.Column, a.ColumnA, a.ColumnB, a.Metric, strings.Join(a.ColumnList, ", "), strings.Join(a.ColumnSet, ", ")} {
		if p != "" {
			parts = append(parts, oneLine(p))
		}
	}
	switch {
	case a.MinValue != nil || a.MaxValue != nil:
		parts = append(parts, a.Bounds())
	case a.Regex != "":
		parts = append(parts, strconv.Quote(a.Regex))
	case len(a.ValueSet) > 0:
		parts = append(parts, fmt.Sprintf("%d values", len(a.ValueSet)))
	case e.Type == "table_row_count_to_equal":
		parts = append(parts, Group(a.Value))
	}
	return e.Type + "(" + strings.Join(parts, ", ") + ")"
}

// oneLine quotes a name that holds characters which are not to be printed.
func oneLine(s string) string {
	if q := strconv.Quote(s); strings.Contains(q, `\`) && !strings.Contains(s, `\`) && !strings.Contains(s, `"`) {
		return q
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(s)
}
