package expect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pipe/engine/check"
	"pipe/engine/diag"
	"pipe/stages/internal/duck"
)

// measure is one expectation on its way to a result.
type measure struct {
	index   int
	e       check.Expectation
	a       check.Args
	family  check.Family
	numbers []string   // expressions that the one SELECT evaluates
	values  []*float64 // what they gave
	window  string     // an expression over neighbours that the numbers need
	bad     string     // the condition that an unexpected row meets; for the failing rows
	columns []string   // whose values are listed
	result  check.Result
	settled bool
}

// windowName stands in expressions for the column of the measure's window, until bind.
const windowName = "\x00window\x00"

func (m *measure) bind(name string) {
	for i := range m.numbers {
		m.numbers[i] = strings.ReplaceAll(m.numbers[i], windowName, name)
	}
}

func (m *measure) broken(err error) { m.settle(check.Broken(m.e, err)) }

func (m *measure) settle(r check.Result) { m.result, m.settled = r, true }

// measure says how an expectation is evaluated. What needs no scan is settled at once.
func (s *session) measure(index int, e check.Expectation) *measure {
	m := &measure{index: index, e: e}
	d, ok := check.Lookup(e.Type)
	if !ok {
		m.broken(fmt.Errorf("there is no expectation %q", e.Type))
		return m
	}
	var err error
	if m.a, err = check.ParseArgs(e); err == nil {
		m.family = d.Family
		switch d.Family {
		case check.ColumnMap:
			err = s.columnMap(m)
		case check.ColumnAggregate:
			err = s.aggregate(m)
		case check.MultiColumn:
			err = s.multiColumn(m)
		case check.Table:
			err = s.table(m)
		}
	}
	if err != nil {
		m.broken(err)
	}
	return m
}

func (s *session) column(name string) (duck.Column, error) {
	for _, c := range s.info.Columns {
		if c.Name == name {
			return c, nil
		}
	}
	return duck.Column{}, fmt.Errorf("the table has no column %q; it has %s.%s", name, strings.Join(s.info.Names(), ", "),
		diag.DidYouMean(name, s.info.Names()))
}

// columnMap sets up a condition for unexpected rows among those whose value is not null.
func (s *session) columnMap(m *measure) error {
	c, err := s.column(m.a.Column)
	if err != nil {
		return err
	}
	col := duck.Ident(c.Name)
	m.columns = []string{c.Name}
	missing := fmt.Sprintf("count(*) FILTER (%s IS NULL)", col)
	switch m.e.Type {
	case "column_values_to_not_be_null":
		m.bad, missing = col+" IS NULL", "0"
	case "column_values_to_be_null":
		m.bad, missing = col+" IS NOT NULL", "0"
	case "column_values_to_be_unique":
		m.bad = s.repeated([]string{c.Name})
		m.numbers = []string{missing, s.countRepeated([]string{c.Name})}
		return nil
	case "column_values_to_be_increasing", "column_values_to_be_decreasing":
		s.ordered(m, col)
	default:
		if m.bad, err = valueCondition(m, c, col); err != nil {
			return err
		}
		m.bad = fmt.Sprintf("%s IS NOT NULL AND (%s)", col, m.bad)
	}
	m.numbers = []string{missing, fmt.Sprintf("count(*) FILTER (%s)", m.bad)}
	return nil
}

// ordered compares each value with the one before it that is not null.
func (s *session) ordered(m *measure, col string) {
	m.window = fmt.Sprintf("lag(%s IGNORE NULLS) OVER (ORDER BY %s)", col, rowNumber)
	op := map[bool]map[bool]string{true: {false: "<", true: "<="}, false: {false: ">", true: ">="}}[strings.HasSuffix(m.e.Type, "increasing")][m.a.Strictly]
	m.bad = fmt.Sprintf("%s IS NOT NULL AND %s IS NOT NULL AND %s %s %s", col, windowName, col, op, windowName)
}

// valueCondition is what an unexpected value meets.
func valueCondition(m *measure, c duck.Column, col string) (string, error) {
	kind := kindOf(c.Type)
	switch m.e.Type {
	case "column_values_to_be_between":
		return notBetween(m.a, c, col, kind)
	case "column_values_to_be_in_set", "column_values_to_not_be_in_set":
		return inSet(m, c, col, kind)
	case "column_values_to_match_regex", "column_values_to_not_match_regex":
		if kind != text {
			return "", fmt.Errorf("the column %s is %s: a regular expression needs a column of texts", c.Name, c.Type)
		}
		match := fmt.Sprintf("regexp_matches(%s, %s)", col, duck.Literal(m.a.Regex))
		if m.e.Type == "column_values_to_match_regex" {
			return "NOT " + match, nil
		}
		return match, nil
	case "column_value_lengths_to_be_between":
		if kind != text {
			return "", fmt.Errorf("the column %s is %s: only texts have a length", c.Name, c.Type)
		}
		return notBetween(m.a, duck.Column{Name: c.Name, Type: "BIGINT"}, "length("+col+")", numeric)
	}
	return "", fmt.Errorf("there is no expectation %q", m.e.Type)
}

func notBetween(a check.Args, c duck.Column, col string, kind kind) (string, error) {
	var within []string
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
		return "", err
	}
	cond := "NOT (" + strings.Join(within, " AND ") + ")"
	if c.Type == "DOUBLE" || c.Type == "FLOAT" {
		cond = fmt.Sprintf("isnan(%s) OR %s", col, cond)
	}
	return cond, nil
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
	op := " NOT IN ("
	if m.e.Type == "column_values_to_not_be_in_set" {
		op = " IN ("
	}
	return col + op + strings.Join(literals, ", ") + ")", nil
}

// repeated is the condition of a row whose key stands in the table more than once.
func (s *session) repeated(columns []string) string {
	keys := idents(columns)
	row := strings.Join(keys, ", ")
	if len(keys) == 1 {
		return fmt.Sprintf("%s IN (SELECT %s FROM %s WHERE %s IS NOT NULL GROUP BY 1 HAVING count(*) > 1)", row, row, s.from, row)
	}
	same := make([]string, len(keys))
	for i, k := range keys {
		same[i] = fmt.Sprintf("d.%s IS NOT DISTINCT FROM s.%s", k, k)
	}
	return fmt.Sprintf("EXISTS (SELECT 1 FROM (SELECT %s FROM %s WHERE NOT (%s) GROUP BY ALL HAVING count(*) > 1) d WHERE %s)",
		row, s.from, allNull(keys), strings.Join(same, " AND "))
}

// countRepeated counts all rows whose key is repeated, with one grouping.
func (s *session) countRepeated(columns []string) string {
	keys := idents(columns)
	return fmt.Sprintf("(SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM %s WHERE NOT (%s) GROUP BY %s HAVING count(*) > 1))",
		s.from, allNull(keys), strings.Join(keys, ", "))
}

func allNull(keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " IS NULL"
	}
	return strings.Join(parts, " AND ")
}

func idents(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = duck.Ident(c)
	}
	return out
}

func (s *session) multiColumn(m *measure) error {
	m.columns = m.a.ColumnList
	if m.e.Type == "column_pair_values_a_to_be_greater_than_b" {
		m.columns = []string{m.a.ColumnA, m.a.ColumnB}
	}
	for _, name := range m.columns {
		if _, err := s.column(name); err != nil {
			return err
		}
	}
	keys := idents(m.columns)
	missing := fmt.Sprintf("count(*) FILTER (%s)", allNull(keys))
	if m.e.Type == "compound_columns_to_be_unique" {
		m.bad = s.repeated(m.columns)
		m.numbers = []string{missing, s.countRepeated(m.columns)}
		return nil
	}
	op := ">"
	if m.a.OrEqual {
		op = ">="
	}
	m.bad = fmt.Sprintf("NOT (%s) AND (%s IS NULL OR %s IS NULL OR NOT (%s %s %s))", allNull(keys), keys[0], keys[1], keys[0], op, keys[1])
	m.numbers = []string{missing, fmt.Sprintf("count(*) FILTER (%s)", m.bad)}
	return nil
}

func (s *session) aggregate(m *measure) error {
	c, err := s.column(m.a.Column)
	if err != nil {
		return err
	}
	col := duck.Ident(c.Name)
	functions := map[string]string{"min": "min(%s)", "max": "max(%s)", "mean": "avg(%s)", "median": "median(%s)",
		"stdev": "stddev_samp(%s)", "sum": "sum(%s)", "unique_value_count": "count(DISTINCT %s)"}
	name := strings.TrimSuffix(strings.TrimPrefix(m.e.Type, "column_"), "_to_be_between")
	if name == "proportion_of_unique_values" {
		m.numbers = []string{fmt.Sprintf("count(DISTINCT %s) / nullif(count(%s), 0)", col, col)}
		return nil
	}
	if name != "unique_value_count" && kindOf(c.Type) != numeric {
		return fmt.Errorf("the column %s is %s: the %s needs a column of numbers", c.Name, c.Type, name)
	}
	expr := fmt.Sprintf(functions[name], col)
	m.numbers = []string{"(" + expr + ")::DOUBLE"}
	if name == "unique_value_count" {
		m.numbers = []string{fmt.Sprintf("CASE WHEN count(%s) > 0 THEN %s END", col, expr)}
	}
	return nil
}

// table settles what the description of the table answers, but for the number of rows.
func (s *session) table(m *measure) error {
	names := s.info.Names()
	switch m.e.Type {
	case "table_row_count_to_be_between", "table_row_count_to_equal":
		return nil // when the rows are counted
	case "table_column_count_to_be_between":
		n := float64(len(names))
		m.settle(check.Aggregate(m.e, m.a, &n))
	case "column_to_exist":
		_, err := s.column(m.a.Column)
		m.settle(decided(m, names, err == nil, map[bool]string{true: "it exists", false: "the table has " + strings.Join(names, ", ")}[err == nil]))
	case "table_columns_to_match_set":
		missing, extra := difference(m.a.ColumnSet, names), difference(names, m.a.ColumnSet)
		m.settle(decided(m, names, len(missing) == 0 && (len(extra) == 0 || !m.a.ExactMatch), differs(missing, extra)))
	case "table_columns_to_match_ordered_list":
		ok := strings.Join(names, "\x00") == strings.Join(m.a.ColumnList, "\x00")
		m.settle(decided(m, names, ok, "the columns are "+strings.Join(names, ", ")))
	}
	return nil
}

func decided(m *measure, observed []string, ok bool, what string) check.Result {
	r := check.NewResult(m.e)
	r.Success, r.ObservedValue = ok, observed
	r.Message = check.About(m.e, m.a) + ": " + what
	return r
}

func difference(a, b []string) []string {
	in := map[string]bool{}
	for _, x := range b {
		in[x] = true
	}
	var out []string
	for _, x := range a {
		if !in[x] {
			out = append(out, x)
		}
	}
	return out
}

func differs(missing, extra []string) string {
	switch {
	case len(missing) == 0 && len(extra) == 0:
		return "the columns match"
	case len(extra) == 0:
		return "missing: " + strings.Join(missing, ", ")
	case len(missing) == 0:
		return "unexpected: " + strings.Join(extra, ", ")
	}
	return "missing: " + strings.Join(missing, ", ") + "; unexpected: " + strings.Join(extra, ", ")
}

// finish makes the result of the numbers, and fetches failing rows.
func (m *measure) finish(ctx context.Context, s *session) error {
	if m.settled {
		return nil
	}
	switch m.family {
	case check.ColumnAggregate:
		m.settle(check.Aggregate(m.e, m.a, m.values[0]))
	case check.Table:
		n := float64(s.rows)
		a := m.a
		if m.e.Type == "table_row_count_to_equal" {
			exact := json.Number(fmt.Sprint(m.a.Value))
			a.MinValue, a.MaxValue = exact, exact
		}
		m.settle(check.Aggregate(m.e, a, &n))
	default:
		missing, unexpected := int64(*m.values[0]), int64(*m.values[1])
		m.settle(check.Map(m.e, m.a, s.rows, missing, unexpected))
		if unexpected > 0 {
			return s.failingRows(ctx, m)
		}
	}
	return nil
}
