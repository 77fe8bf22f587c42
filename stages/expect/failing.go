package expect

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// failing adds the first unexpected rows, whole and with their numbers, to the results. It needs two reads however many
// expectations have failed: one for the numbers of the rows, one for the rows (and one more for each broken key).
func (s *session) failing(ctx context.Context, all []*measure) error {
	numbers := map[*measure][]int64{}
	var scans, orders, broken []*measure
	for _, m := range all {
		switch {
		case m.unexpected == 0:
			continue
		case m.pass == keys:
			if err := s.repeated(ctx, m, numbers); err != nil {
				return err
			}
		case m.pass == order:
			orders = append(orders, m)
		default:
			scans = append(scans, m)
		}
		broken = append(broken, m)
	}
	for _, list := range [][]*measure{scans, orders} {
		if err := s.rowNumbers(ctx, list, numbers); err != nil {
			return err
		}
	}
	rows, err := s.fetch(ctx, numbers)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, m := range broken {
		if err != nil {
			hidden(m, err)
			continue
		}
		for _, n := range numbers[m] {
			m.show(rows[n])
		}
	}
	return nil
}

// hidden says in a result why its rows are not there. The counts hold nevertheless.
func hidden(m *measure, err error) {
	m.result.Message += "; the rows can't be shown: " + err.Error()
}

// rowNumbers finds the numbers of the first unexpected rows of several measures in one statement.
func (s *session) rowNumbers(ctx context.Context, list []*measure, into map[*measure][]int64) error {
	return halve(ctx, list, func(list []*measure) error {
		values, err := s.evaluate(ctx, s.free(), list, func(m *measure) []string {
			// A FILTER would take the planner quadratic time.
			return []string{fmt.Sprintf("min(CASE WHEN %s THEN %s END, %d)", m.bad, s.row(), check.MaxRows)}
		})
		for i, m := range list[:len(values)] {
			into[m] = integers(values[i][0])
		}
		return err
	}, hidden)
}

func (s *session) repeated(ctx context.Context, m *measure, into map[*measure][]int64) error {
	var found any
	err := s.free().Row(ctx, []any{&found}, s.repeatedRows(m.columns, check.MaxRows))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		hidden(m, err)
	}
	into[m] = integers(found)
	return nil
}

// integers reads a list of the driver.
func integers(v any) []int64 {
	list, _ := v.([]any) // nil, for no rows at all, is an empty list
	out := make([]int64, 0, len(list))
	for _, x := range list {
		if n, ok := x.(int64); ok {
			out = append(out, n)
		}
	}
	return out
}

// fetch reads rows by their numbers.
func (s *session) fetch(ctx context.Context, numbers map[*measure][]int64) (map[int64]check.Row, error) {
	var wanted []int64
	for _, list := range numbers {
		wanted = append(wanted, list...)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	names := s.info.Names()
	query := fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s IN (%s)", s.row(), strings.Join(s.shown(), ", "), s.relation(names), s.row(), spelled(wanted))
	rows, err := s.free().Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64]check.Row{}
	for rows.Next() {
		var number int64
		values := make([]any, len(names))
		dest := []any{&number}
		for i := range values {
			dest = append(dest, &values[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, duck.Translate(ctx, query, err)
		}
		for i, v := range values {
			values[i] = s.plain(s.info.Columns[i], v)
		}
		found[number] = check.Row{Number: number + 1, Columns: names, Values: values}
	}
	return found, duck.Translate(ctx, query, rows.Err())
}

// spelled lists numbers for IN (…).
func spelled(numbers []int64) string {
	list := make([]string, len(numbers))
	for i, n := range numbers {
		list[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(list, ", ")
}

// show adds a row to the result, and the values that the expectation is about.
func (m *measure) show(row check.Row) {
	var values []any
	for _, name := range m.columns {
		if i := slices.Index(row.Columns, name); i >= 0 {
			values = append(values, row.Values[i])
		}
	}
	var value any = values
	if len(values) == 1 {
		value = values[0]
	}
	m.result.PartialUnexpectedRows = append(m.result.PartialUnexpectedRows, row)
	m.result.PartialUnexpectedList = append(m.result.PartialUnexpectedList, value)
}
