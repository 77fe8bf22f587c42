package expect

import (
	"errors"
	"fmt"
	"strings"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// columnMap sets up a condition for unexpected values. A condition on a null is null or false, so nulls are never
// unexpected but where the expectation is about them.
func (s *session) columnMap(m *measure) error {
	c, err := s.column(m.a.Column)
	if err != nil {
		return err
	}
	col := duck.Ident(c.Name)
	m.columns = []string{c.Name}
	considered := s.present(c.Name)
	unexpected := ""
	switch m.e.Type {
	case "column_values_to_not_be_null":
		m.bad, m.all = anyOf(col+" IS NULL", s.nan(c, col)), true
		if s.nan(c, col) == "" {
			unexpected = s.absent(c.Name)
		}
	case "column_values_to_be_null":
		m.bad, m.all, unexpected = col+" IS NOT NULL", true, considered
	case "column_values_to_be_unique":
		m.pass = keys
		return nil
	case "column_values_to_be_increasing", "column_values_to_be_decreasing":
		err = s.ordered(m, c, col)
	default:
		m.bad, err = s.valueCondition(m, c, col)
	}
	if m.all {
		considered = counted(s.rows)
	}
	if err != nil {
		m.mismatched(considered, err)
		return nil
	}
	if unexpected == "" {
		unexpected = "count_if(" + m.bad + ")"
	}
	m.considering(considered, unexpected)
	return nil
}

// anyOf joins the conditions that are not empty.
func anyOf(conditions ...string) string {
	var list []string
	for _, c := range conditions {
		if c != "" {
			list = append(list, c)
		}
	}
	return strings.Join(list, " OR ")
}

// ordered compares each value with the one before it that is neither null nor NaN.
func (s *session) ordered(m *measure, c duck.Column, col string) error {
	if kindOf(c.Type) == other {
		return fmt.Errorf("the column %s is %s, which has no order", c.Name, c.Type)
	}
	m.pass = order
	value := col
	if n := s.nan(c, col); n != "" {
		value = fmt.Sprintf("CASE WHEN NOT %s THEN %s END", n, col)
	}
	m.window = fmt.Sprintf("lag(%s IGNORE NULLS) OVER (ORDER BY %s)", value, s.row())
	op := "<"
	if m.e.Type == "column_values_to_be_decreasing" {
		op = ">"
	}
	if m.a.Strictly {
		op += "="
	}
	m.bad = anyOf(s.nan(c, col), fmt.Sprintf("%s %s %s", col, op, s.windowName(m)))
	return nil
}

// windowName is the column of the order pass that holds the measure's neighbour.
func (s *session) windowName(m *measure) string { return s.name(fmt.Sprintf("w%d", m.index)) }

// valueCondition is what an unexpected value meets.
func (s *session) valueCondition(m *measure, c duck.Column, col string) (string, error) {
	kind := kindOf(c.Type)
	switch m.e.Type {
	case "column_values_to_be_between":
		return s.notBetween(m.a, c, col, kind)
	case "column_values_to_be_in_set", "column_values_to_not_be_in_set":
		return inSet(m, c, col, kind)
	case "column_values_to_match_regex", "column_values_to_not_match_regex":
		if kind != text {
			return "", fmt.Errorf("the column %s is %s: a regular expression needs a column of texts", c.Name, c.Type)
		}
		match := fmt.Sprintf("regexp_matches(%s, %s)", asText(c, col), duck.Literal(m.a.Regex))
		if m.e.Type == "column_values_to_match_regex" {
			return "NOT " + match, nil
		}
		return match, nil
	case "column_value_lengths_to_be_between":
		if kind != text {
			return "", fmt.Errorf("the column %s is %s: only texts have a length", c.Name, c.Type)
		}
		return s.notBetween(m.a, duck.Column{Name: c.Name, Type: "BIGINT"}, "length("+asText(c, col)+")", numeric)
	}
	return "", fmt.Errorf("there is no expectation %q", m.e.Type)
}

// notBetween is the condition of a value outside the bounds. NaN is looked for always: it is greater than every number
// in SQL, so that a lower bound alone would let it pass, and DuckDB leaves out a comparison that the statistics of a
// Parquet file decide, in which other writers leave NaN out.
func (s *session) notBetween(a check.Args, c duck.Column, col string, kind kind) (string, error) {
	var within []string
	col = asText(c, col)
	add := func(bound any, strict bool, op string) error {
		if bound == nil {
			return nil
		}
		l, err := literal(bound, c, kind)
		if !strict {
			op += "="
		}
		within = append(within, fmt.Sprintf("%s %s %s", col, op, l))
		return err
	}
	if err := errors.Join(add(a.MinValue, a.StrictMin, ">"), add(a.MaxValue, a.StrictMax, "<")); err != nil {
		return "", firstOf(err)
	}
	cond := "NOT (" + strings.Join(within, " AND ") + ")"
	return anyOf(s.nan(c, col), cond), nil
}

// firstOf takes the first of joined errors, because a message is one line.
func firstOf(err error) error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		return list.Unwrap()[0]
	}
	return err
}

func inSet(m *measure, c duck.Column, col string, kind kind) (string, error) {
	literals := make([]string, len(m.a.ValueSet))
	for i, v := range m.a.ValueSet {
		l, err := literal(v, c, kind)
		if err != nil {
			return "", err
		}
		literals[i] = l
	}
	list := strings.Join(literals, ", ")
	in := asText(c, col) + " IN (" + list + ")"
	if c.Type == "VARCHAR" && len(literals) <= shortList { // looked up once for each value of a dictionary, not for each row
		in = "list_contains([" + list + "], " + col + ")"
	}
	if m.e.Type == "column_values_to_not_be_in_set" {
		return in, nil
	}
	return "NOT " + in, nil
}

// shortList is up to how many values a list is searched faster than a hash table is asked.
const shortList = 64

// multiColumn sets up expectations on several columns of a row. Rows in which all of them are null are not considered.
func (s *session) multiColumn(m *measure) error {
	m.columns = m.a.ColumnList
	if m.e.Type == "column_pair_values_a_to_be_greater_than_b" {
		m.columns = []string{m.a.ColumnA, m.a.ColumnB}
	}
	cols := make([]duck.Column, len(m.columns))
	for i, name := range m.columns {
		c, err := s.column(name)
		if err != nil {
			return err
		}
		cols[i] = c
	}
	if m.e.Type == "compound_columns_to_be_unique" {
		m.pass = keys
		return nil
	}
	a, b := cols[0], cols[1]
	x, y := duck.Ident(a.Name), duck.Ident(b.Name)
	considered := fmt.Sprintf("count_if(%s IS NOT NULL OR %s IS NOT NULL)", x, y)
	if kindOf(a.Type) != kindOf(b.Type) || kindOf(a.Type) == other {
		m.mismatched(considered, fmt.Errorf("the column %s is %s and the column %s is %s: they can't be compared", a.Name, a.Type, b.Name, b.Type))
		return nil
	}
	op := ">"
	if m.a.OrEqual {
		op = ">="
	}
	m.bad = fmt.Sprintf("(%s IS NULL) <> (%s IS NULL) OR %s", x, y,
		anyOf(s.nan(a, x), s.nan(b, y), fmt.Sprintf("NOT (%s %s %s)", asText(a, x), op, asText(b, y))))
	m.considering(considered, "count_if("+m.bad+")")
	return nil
}
