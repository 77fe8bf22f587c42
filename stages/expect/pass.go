package expect

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"pipe/stages/internal/duck"
)

// run finds the numbers of all measures, makes their results, and adds failing rows. The error is about all of them.
func (s *session) run(ctx context.Context, all []*measure) error {
	by := sorted(all)
	if err := s.numbers(ctx, by[light]); err != nil {
		return err
	}
	if err := s.prove(ctx, by[scan]); err != nil {
		return err
	}
	by[scan] = slices.DeleteFunc(by[scan], func(m *measure) bool { return m.values != nil })
	// What can't be divided comes first, so that the rest fills the time beside it.
	tasks := s.keys(by[keys])
	for _, list := range s.divide(by[order]) {
		tasks = append(tasks, func(ctx context.Context) error { return s.inOrder(ctx, list) })
	}
	for _, list := range s.divide(by[scan]) {
		tasks = append(tasks, func(ctx context.Context) error { return s.numbers(ctx, list) })
	}
	if err := parallel(ctx, tasks); err != nil {
		return err
	}
	for _, m := range all {
		if !m.settled {
			m.finish(s)
		}
	}
	return s.failing(ctx, all)
}

// task is one statement, or a few. Each is run by one thread, so that sums of floating-point numbers, which depend on the
// order of addition, are the same on every machine; several tasks run side by side.
type task func(context.Context) error

// parallel runs tasks, started in their order, as many at once as there are processors.
func parallel(ctx context.Context, tasks []task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, t := range tasks {
		group.Go(func() error { return t(ctx) })
	}
	return group.Wait()
}

// sorted lists the measures of each pass.
func sorted(all []*measure) [passes][]*measure {
	var by [passes][]*measure
	for _, m := range all {
		if !m.settled {
			by[m.pass] = append(by[m.pass], m)
		}
	}
	return by
}

const (
	divideRows   = 100_000 // a table with fewer rows is not worth dividing
	perProcessor = 4       // parts for each processor, because some columns take longer than others
)

// divide makes parts of measures, so that no column is read in two of them (but by measures of several columns).
func (s *session) divide(list []*measure) [][]*measure {
	n := runtime.GOMAXPROCS(0) * perProcessor
	if s.rows < divideRows || runtime.GOMAXPROCS(0) == 1 {
		n = 1
	}
	parts := make([][]*measure, n)
	for i, part := range byColumn(list) {
		parts[i%n] = append(parts[i%n], part...)
	}
	return parts
}

// inOrder finds the numbers of measures that look at neighbours. DuckDB reads a table in its order, so that nothing needs
// to be sorted; but that is no promise of SQL, so that it is looked at: where a row came before one with a smaller number,
// the rows are sorted.
func (s *session) inOrder(ctx context.Context, list []*measure) error {
	for _, part := range byColumn(list) {
		checked := s.evaluateStream(ctx, part)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if checked {
			continue
		}
		if err := s.numbers(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// evaluateStream finds the numbers of measures of one column, and reports whether the rows were read in their order. NaN
// is passed over by windows that have to be sorted only.
func (s *session) evaluateStream(ctx context.Context, list []*measure) bool {
	column := list[0].columns[0]
	col := duck.Ident(column)
	if s.nan(duck.Column{Name: column, Type: s.types[column]}, col) != "" {
		return false
	}
	windows := []string{fmt.Sprintf("lag(%s) OVER () AS %s", s.row(), s.name("before"))}
	for _, m := range list {
		windows = append(windows, fmt.Sprintf("lag(%s) OVER () AS %s", col, s.windowName(m)))
	}
	from := fmt.Sprintf("(SELECT *, %s FROM %s WHERE %s IS NOT NULL)", strings.Join(windows, ", "), s.relation([]string{column}), col)
	disorder := fmt.Sprintf("count_if(%s <= %s)", s.row(), s.name("before"))
	values, err := s.evaluate(ctx, list, from, func(m *measure) []string { return append(m.numbers[:len(m.numbers):len(m.numbers)], disorder) })
	if err != nil {
		return false
	}
	for i, m := range list {
		last := len(values[i]) - 1
		if n, err := count(values[i][last]); err != nil || n > 0 {
			return false
		}
		m.values = values[i][:last]
	}
	return true
}

// byColumn divides measures by their first column.
func byColumn(list []*measure) [][]*measure {
	var parts [][]*measure
	part := map[string]int{}
	for _, m := range list {
		k, ok := part[m.columns[0]]
		if !ok {
			k = len(parts)
			part[m.columns[0]] = k
			parts = append(parts, nil)
		}
		parts[k] = append(parts[k], m)
	}
	return parts
}

// numbers finds the numbers of measures in one statement.
func (s *session) numbers(ctx context.Context, list []*measure) error {
	return halve(ctx, list, func(list []*measure) error {
		values, err := s.evaluate(ctx, list, s.source(list), func(m *measure) []string { return m.numbers })
		for i, m := range list[:len(values)] {
			m.values = values[i]
		}
		return err
	}, func(m *measure, err error) {
		if m.retry != nil {
			if values, again := s.evaluate(ctx, []*measure{m}, s.source([]*measure{m}), func(m *measure) []string { return m.retry }); again == nil {
				m.values = values[0]
				return
			}
		}
		m.broken(err)
	})
}

// halve does something for several measures at once. Where that fails, it does it for the halves, down to the measure
// that fails alone, which is handed to broken.
func halve(ctx context.Context, list []*measure, do func([]*measure) error, broken func(*measure, error)) error {
	if len(list) == 0 {
		return nil
	}
	err := do(list)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case len(list) == 1:
		broken(list[0], err)
		return nil
	}
	middle := len(list) / 2
	if err := halve(ctx, list[:middle], do, broken); err != nil {
		return err
	}
	return halve(ctx, list[middle:], do, broken)
}

// evaluate runs one SELECT of several expressions for each measure. An expression that stands there twice is computed
// once, and what is known already is not asked for.
func (s *session) evaluate(ctx context.Context, list []*measure, from string, expressions func(*measure) []string) ([][]any, error) {
	var distinct []string
	found := map[string]*any{}
	for _, m := range list {
		for _, x := range expressions(m) {
			if found[x] != nil {
				continue
			}
			found[x] = new(any)
			if n, ok := constant(x); ok {
				*found[x] = n
			} else {
				distinct = append(distinct, x)
			}
		}
	}
	if len(distinct) > 0 {
		dest := make([]any, len(distinct))
		for i, x := range distinct {
			dest[i] = found[x]
		}
		if err := s.db.Row(ctx, dest, "SELECT "+strings.Join(distinct, ", ")+" FROM "+from); err != nil {
			return nil, err
		}
	}
	values := make([][]any, len(list))
	for i, m := range list {
		for _, x := range expressions(m) {
			values[i] = append(values[i], *found[x])
		}
	}
	return values, nil
}

// constant reads an expression for which nothing needs to be asked.
func constant(expression string) (int64, bool) {
	n, err := strconv.ParseInt(expression, 10, 64)
	return n, err == nil
}

// source is what the numbers of measures are computed from: their columns, and their windows if they have any.
func (s *session) source(list []*measure) string {
	var columns, windows []string
	for _, m := range list {
		columns = append(columns, m.columns...)
		if m.window != "" {
			windows = append(windows, m.window+" AS "+s.windowName(m))
		}
	}
	from := s.relation(columns)
	if len(windows) > 0 {
		from = fmt.Sprintf("(SELECT *, %s FROM %s)", strings.Join(windows, ", "), from)
	}
	return from
}

// keys are the tasks that find the numbers of measures whose key must be unique, one grouping for each key.
func (s *session) keys(list []*measure) []task {
	var tasks []task
	groups := map[string][]*measure{}
	for _, m := range list {
		key := strings.Join(m.columns, "\x00")
		if groups[key] == nil {
			tasks = append(tasks, func(ctx context.Context) error { return s.key(ctx, groups[key]) })
		}
		groups[key] = append(groups[key], m)
	}
	return tasks
}

// key finds the numbers of measures that have one key: how many rows have it, and how many of them share it.
func (s *session) key(ctx context.Context, list []*measure) error {
	values := make([]any, 2)
	err := s.db.Row(ctx, []any{&values[0], &values[1]}, fmt.Sprintf(
		"SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(n) FILTER (n > 1), 0)::BIGINT FROM (%s)", s.grouped(list[0].columns, "count(*) AS n", "")))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, m := range list {
		m.values = values
		if err != nil {
			m.broken(err)
		}
	}
	return nil
}

// grouped is a query over the groups of rows with one key, without those whose key is null altogether.
func (s *session) grouped(columns []string, what, having string) string {
	keys := idents(columns)
	if having != "" {
		having = " HAVING " + having
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE NOT (%s) GROUP BY %s%s", what, s.relation(columns), allNull(keys), strings.Join(keys, ", "), having)
}

func allNull(keys []string) string {
	parts := slices.Clone(keys)
	for i, k := range parts {
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
