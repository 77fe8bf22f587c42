package expect

import (
	"fmt"
	"strings"

	"pipe/stages/internal/duck"
)

// aggregate sets up one number of a column.
func (s *session) aggregate(m *measure) error {
	c, err := s.column(m.a.Column)
	if err != nil {
		return err
	}
	col := duck.Ident(c.Name)
	m.columns = []string{c.Name}
	considered := "count(" + col + ")"
	name := strings.TrimSuffix(strings.TrimPrefix(m.e.Type, "column_"), "_to_be_between")
	switch name {
	case "unique_value_count":
		m.considering(considered, fmt.Sprintf("count(DISTINCT %s)", col))
		return nil
	case "proportion_of_unique_values":
		m.considering(considered, fmt.Sprintf("count(DISTINCT %s) / nullif(count(%s), 0)", col, col))
		return nil
	}
	kind := kindOf(c.Type)
	ordered := name == "min" || name == "max"
	if kind != numeric && (!ordered || (kind != moment && kind != text)) {
		m.mismatched(considered, fmt.Errorf("the column %s is %s: the %s needs a column of numbers", c.Name, c.Type, name))
		return nil
	}
	m.considering(considered, number(name, c, col))
	if !orderFree(name, c.Type) {
		m.pass = sums
	}
	return nil
}

// number is the expression of an aggregate. A column that holds NaN has NaN for every one of them: DuckDB orders NaN
// above all numbers, so that it would hide in a minimum or a median.
func number(name string, c duck.Column, col string) string {
	double := "CAST(" + col + " AS DOUBLE)"
	value := ""
	switch name {
	case "min":
		value = "min(" + asText(c, col) + ")"
	case "max":
		return "max(" + asText(c, col) + ")"
	case "mean":
		return "avg(" + col + ")"
	case "sum":
		return "sum(" + col + ")"
	case "median": // of doubles, because the mean of the middle two decimals may have more digits than they have
		value = "median(" + double + ")"
	case "stdev":
		value = "stddev_samp(" + double + ")"
		if nan(c, col) != "" { // an error in DuckDB unless all values are finite
			value = fmt.Sprintf("CASE WHEN isfinite(max(%[1]s)) AND isfinite(min(%[1]s)) THEN stddev_samp(CASE WHEN isfinite(%[1]s) THEN %[2]s END) ELSE 'NaN'::DOUBLE END", col, double)
		}
		return value
	}
	if nan(c, col) != "" {
		return fmt.Sprintf("CASE WHEN isnan(max(%s)) THEN 'NaN'::DOUBLE ELSE %s END", col, value)
	}
	return value
}

// orderFree reports whether an aggregate is the same for every order of the rows: sums of whole and of decimal numbers
// are exact, sums of floating-point numbers are not.
func orderFree(name, sqlType string) bool {
	if name == "stdev" {
		return false
	}
	if name != "mean" && name != "sum" {
		return true
	}
	switch base, _, _ := strings.Cut(sqlType, "("); base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "DECIMAL":
		return true
	}
	return false
}
