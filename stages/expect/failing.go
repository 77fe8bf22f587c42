package expect

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// failing adds the first unexpected rows, whole and with their numbers, to the results. It reads twice however many
// expectations have failed: the numbers of the rows, then the rows (and once more for each key that is repeated).
func (s *session) failing(ctx context.Context, all []*measure) error {
	var by [passes][]*measure
	for _, m := range all {
		if m.unexpected > 0 {
			by[m.pass] = append(by[m.pass], m)
		}
	}
	var tasks []task
	for _, m := range by[keys] {
		tasks = append(tasks, func(ctx context.Context) error { return s.repeated(ctx, m) })
	}
	for _, list := range slices.Concat(s.divide(by[order]), s.divide(by[scan])) {
		tasks = append(tasks, func(ctx context.Context) error { return s.rowNumbers(ctx, list) })
	}
	if err := parallel(ctx, tasks); err != nil {
		return err
	}
	failed := slices.Concat(by[scan], by[order], by[keys])
	var wanted []int64
	for _, m := range failed {
		wanted = append(wanted, m.rows...)
	}
	if len(wanted) == 0 {
		return nil
	}
	slices.Sort(wanted)
	rows, err := s.fetch(ctx, slices.Compact(wanted))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, m := range failed {
		if err != nil {
			hidden(m, err)
			continue
		}
		for _, n := range m.rows {
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
func (s *session) rowNumbers(ctx context.Context, list []*measure) error {
	return halve(ctx, list, func(list []*measure) error {
		values, err := s.evaluate(ctx, list, s.source(list), func(m *measure) []string {
			// A FILTER would take the planner quadratic time.
			return []string{fmt.Sprintf("min(CASE WHEN %s THEN %s END, %d)", m.bad, s.row(), check.MaxRows)}
		})
		for i, m := range list[:len(values)] {
			m.rows = integers(values[i][0])
		}
		return err
	}, hidden)
}

// repeated finds the numbers of the first rows whose key stands in the table more than once.
func (s *session) repeated(ctx context.Context, m *measure) error {
	keys := idents(m.columns)
	same := make([]string, len(keys))
	for i, k := range keys {
		same[i] = fmt.Sprintf("a.%s IS NOT DISTINCT FROM b.%s", k, k)
	}
	var found any
	err := s.db.Row(ctx, []any{&found}, fmt.Sprintf("SELECT min(a.%s, %d) FROM %s AS a SEMI JOIN (%s) AS b ON %s", s.row(), check.MaxRows,
		s.relation(m.columns), s.grouped(m.columns, strings.Join(keys, ", "), "count(*) > 1"), strings.Join(same, " AND ")))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		hidden(m, err)
	}
	m.rows = integers(found)
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

// columnsAtOnce is how many columns of rows one statement reads.
const columnsAtOnce = 16

// fetch reads rows by their numbers, in parts of their columns.
func (s *session) fetch(ctx context.Context, wanted []int64) (map[int64]check.Row, error) {
	names := s.info.Names()
	rows := map[int64]check.Row{}
	for _, n := range wanted {
		rows[n] = check.Row{Number: n + 1, Columns: names, Values: make([]any, len(names))}
	}
	var mu sync.Mutex
	var tasks []task
	for first := 0; first < len(names); first += columnsAtOnce {
		part := s.info.Columns[first:min(first+columnsAtOnce, len(names))]
		tasks = append(tasks, func(ctx context.Context) error {
			return s.read(ctx, part, wanted, func(n int64, values []any) {
				mu.Lock()
				defer mu.Unlock()
				copy(rows[n].Values[first:], values)
			})
		})
	}
	return rows, parallel(ctx, tasks)
}

// read calls take with the values of some columns in some rows.
func (s *session) read(ctx context.Context, columns []duck.Column, wanted []int64, take func(int64, []any)) error {
	names := make([]string, len(columns))
	list := []string{s.row()}
	for i, c := range columns {
		names[i] = c.Name
		list = append(list, shown(c))
	}
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s IN (%s)", strings.Join(list, ", "), s.relation(names), s.row(), spelled(wanted))
	rows, err := s.db.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		values := make([]any, len(columns))
		dest := []any{&number}
		for i := range values {
			dest = append(dest, &values[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return duck.Translate(ctx, query, err)
		}
		for i, v := range values {
			values[i] = plainOf(columns[i], v)
		}
		take(number, values)
	}
	return duck.Translate(ctx, query, rows.Err())
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
