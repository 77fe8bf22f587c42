package expect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"pipe/stages/internal/duck"
)

// run finds the numbers of all measures, makes their results, and adds failing rows. The error is about all of them.
func (s *session) run(ctx context.Context, all []*measure) error {
	var by [keys + 1][]*measure
	for _, m := range all {
		if !m.settled {
			by[m.pass] = append(by[m.pass], m)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if s.wide != nil {
		group.SetLimit(2) // sums have a session of their own
	}
	group.Go(func() error { return s.pass(gctx, s.single, by[sums]) })
	group.Go(func() error {
		for _, list := range [][]*measure{by[scan], by[order]} {
			if err := s.pass(gctx, s.free(), list); err != nil {
				return err
			}
		}
		return s.keys(gctx, by[keys])
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for _, m := range all {
		if !m.settled {
			m.finish(s)
		}
	}
	return s.failing(ctx, all)
}

// pass finds the numbers of measures in one statement.
func (s *session) pass(ctx context.Context, db *duck.DB, list []*measure) error {
	return halve(ctx, list, func(list []*measure) error {
		values, err := s.evaluate(ctx, db, list, func(m *measure) []string { return m.numbers })
		for i, m := range list[:len(values)] {
			m.values = values[i]
		}
		return err
	}, (*measure).broken)
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
// once.
func (s *session) evaluate(ctx context.Context, db *duck.DB, list []*measure, expressions func(*measure) []string) ([][]any, error) {
	var distinct []string
	at := map[string]int{}
	for _, m := range list {
		for _, x := range expressions(m) {
			if _, ok := at[x]; !ok {
				at[x] = len(distinct)
				distinct = append(distinct, x)
			}
		}
	}
	found := make([]any, len(distinct))
	dest := make([]any, len(distinct))
	for i := range found {
		dest[i] = &found[i]
	}
	if err := db.Row(ctx, dest, "SELECT "+strings.Join(distinct, ", ")+" FROM "+s.source(list)); err != nil {
		return nil, err
	}
	values := make([][]any, len(list))
	for i, m := range list {
		for _, x := range expressions(m) {
			values[i] = append(values[i], found[at[x]])
		}
	}
	return values, nil
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

// keys finds the numbers of measures whose key must be unique, with one grouping for each key.
func (s *session) keys(ctx context.Context, list []*measure) error {
	var names []string
	groups := map[string][]*measure{}
	for _, m := range list {
		key := strings.Join(m.columns, "\x00")
		if groups[key] == nil {
			names = append(names, key)
		}
		groups[key] = append(groups[key], m)
	}
	for _, name := range names {
		group := groups[name]
		values := make([]any, 2)
		err := s.free().Row(ctx, []any{&values[0], &values[1]}, fmt.Sprintf(
			"SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(n) FILTER (n > 1), 0)::BIGINT FROM (%s)", s.grouped(group[0].columns, "count(*) AS n", "")))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, m := range group {
			m.values = values
			if err != nil {
				m.broken(err)
			}
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

// repeatedRows is a query for the numbers of the first rows whose key stands in the table more than once.
func (s *session) repeatedRows(columns []string, limit int) string {
	keys := idents(columns)
	same := make([]string, len(keys))
	for i, k := range keys {
		same[i] = fmt.Sprintf("a.%s IS NOT DISTINCT FROM b.%s", k, k)
	}
	return fmt.Sprintf("SELECT min(a.%s, %d) FROM %s AS a SEMI JOIN (%s) AS b ON %s", s.row(), limit, s.relation(columns),
		s.grouped(columns, strings.Join(keys, ", "), "count(*) > 1"), strings.Join(same, " AND "))
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
