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
	considered := s.present(c.Name)
	name := strings.TrimSuffix(strings.TrimPrefix(m.e.Type, "column_"), "_to_be_between")
	switch name {
	case "unique_value_count":
		m.considering(considered, fmt.Sprintf("count(DISTINCT %s)", col))
		return nil
	case "proportion_of_unique_values":
		m.considering(considered, fmt.Sprintf("count(DISTINCT %s) / nullif(%s, 0)", col, considered))
		return nil
	}
	kind := kindOf(c.Type)
	ordered := name == "min" || name == "max"
	if kind != numeric && (!ordered || (kind != moment && kind != text)) {
		m.mismatched(considered, fmt.Errorf("the column %s is %s: the %s needs a column of numbers", c.Name, c.Type, name))
		return nil
	}
	m.considering(considered, s.number(name, c, col))
	if ordered && s.ranged[c.Name] {
		m.pass = light
	}
	if name == "stdev" && (c.Type == "DOUBLE" || c.Type == "FLOAT") {
		m.retry = []string{considered, fmt.Sprintf("CASE WHEN count_if(NOT isfinite(%[1]s)) > 0 THEN 'NaN'::DOUBLE ELSE error('the values are too large') END", col)}
	}
	return nil
}

// number is the expression of an aggregate. A column that holds NaN has NaN for every one of them: DuckDB orders NaN
// above all numbers, so that it would hide in a minimum or a median, and the statistics of a Parquet file, from which it
// may take a maximum, leave NaN out.
func (s *session) number(name string, c duck.Column, col string) string {
	double := "CAST(" + col + " AS DOUBLE)"
	value := ""
	switch name {
	case "min":
		value = "min(" + asText(c, col) + ")"
	case "max":
		value = "max(" + asText(c, col) + ")"
	case "mean":
		return "avg(" + col + ")"
	case "sum":
		return "sum(" + col + ")"
	case "median": // the mean of the middle two decimals may have more digits than they have
		value = "median(" + col + ")"
		if !strings.HasSuffix(c.Type, "INT") && !strings.HasSuffix(c.Type, "INTEGER") {
			value = "median(" + double + ")"
		}
	case "stdev": // an error where a value is not finite; see measure.retry
		return "stddev_samp(" + double + ")"
	}
	if s.nan(c, col) != "" {
		return fmt.Sprintf("CASE WHEN count_if(isnan(%s)) > 0 THEN 'NaN'::DOUBLE ELSE %s END", col, value)
	}
	return value
}
