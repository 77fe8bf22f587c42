package expect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// NewEvaluator returns the evaluator of pipe. Each call of Evaluate has a session of its own.
func NewEvaluator() check.Evaluator { return evaluator{} }

type evaluator struct{}

// rowNumber is the column that numbers the rows of the table, from 1, in the order of the file.
const rowNumber = "__pipe_row"

// Evaluate implements check.Evaluator.
func (evaluator) Evaluate(ctx context.Context, subject check.Subject, list []check.Expectation) ([]check.Result, error) {
	results := make([]check.Result, len(list))
	var table []int
	for i, e := range list {
		if d, ok := check.Lookup(e.Type); ok && d.Family == check.Metric {
			results[i] = check.EvaluateMetric(e, subject.Metrics)
		} else if subject.Table == "" {
			results[i] = check.Broken(e, errors.New("there is no table to look at"))
		} else {
			table = append(table, i)
		}
	}
	if len(table) == 0 {
		return results, nil
	}
	scratch, err := os.MkdirTemp("", "pipe-expect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	db, err := duck.Open(ctx, duck.Options{Scratch: scratch})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	s, err := open(ctx, db, subject.Table)
	if err != nil {
		return nil, err
	}
	plans := make([]*measure, 0, len(table))
	for _, i := range table {
		plans = append(plans, s.measure(i, list[i]))
	}
	if err := s.run(ctx, plans); err != nil {
		return nil, err
	}
	for _, m := range plans {
		results[m.index] = m.result
	}
	return results, nil
}

// session is one table with what was found out about it.
type session struct {
	db   *duck.DB
	info *duck.Table
	from string // what stands in a FROM clause
	rows int64
}

// open describes the table. What is not Parquet is read once into memory, because it is slow to read again.
func open(ctx context.Context, db *duck.DB, path string) (*session, error) {
	info, err := db.Table(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &session{db: db, info: info, from: info.SQL}
	if duck.FormatOf(path) != duck.Parquet && len(info.Columns) > 0 {
		if err := db.Exec(ctx, "CREATE TEMP TABLE subject AS SELECT * FROM "+info.SQL); err != nil {
			return nil, err
		}
		s.from = "subject"
	}
	return s, nil
}

// run measures everything in one SELECT. If that fails, each expectation is measured alone, so that only the broken one
// is reported broken.
func (s *session) run(ctx context.Context, all []*measure) error {
	if len(s.info.Columns) > 0 {
		n, err := s.db.Count(ctx, s.from)
		if err != nil {
			return err
		}
		s.rows = n
	}
	var pending []*measure
	for _, m := range all {
		if !m.settled {
			pending = append(pending, m)
		}
	}
	if err := s.fused(ctx, pending); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, m := range pending {
			if err := s.fused(ctx, []*measure{m}); err != nil {
				m.broken(err)
			}
		}
	}
	for _, m := range all {
		if err := m.finish(ctx, s); err != nil {
			m.broken(err)
		}
	}
	return ctx.Err()
}

// fused evaluates the numbers of several measures in one statement.
func (s *session) fused(ctx context.Context, list []*measure) error {
	var columns, windows []string
	for k, m := range list {
		if m.window != "" {
			name := duck.Ident(fmt.Sprintf("__pipe_w%d", k))
			windows = append(windows, m.window+" AS "+name)
			m.bind(name)
		}
	}
	for _, m := range list {
		columns = append(columns, m.numbers...)
	}
	if len(columns) == 0 {
		return nil
	}
	from := s.from
	if len(windows) > 0 {
		from = fmt.Sprintf("(SELECT *, %s FROM %s)", strings.Join(windows, ", "), s.numbered())
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + from
	values := make([]*float64, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := s.db.Row(ctx, dest, query); err != nil {
		return err
	}
	for _, m := range list {
		m.values, values = values[:len(m.numbers)], values[len(m.numbers):]
	}
	return nil
}

// numbered is the table with the numbers of its rows.
func (s *session) numbered() string {
	return fmt.Sprintf("(SELECT *, row_number() OVER () AS %s FROM %s)", rowNumber, s.from)
}
