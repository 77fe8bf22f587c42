package expect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// statistics reads what a Parquet file says of its columns: how many nulls they have, and whether it knows their least and
// greatest values. Those of floating-point numbers are believed only where this very version of DuckDB wrote the file: it
// leaves them out where there is a NaN, while other writers leave the NaN out of them.
func (s *session) statistics(ctx context.Context, path string) error {
	literal := duck.Literal(strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)) // not a pattern
	var own int64
	err := s.db.Row(ctx, []any{&own}, "SELECT count(*) FROM parquet_file_metadata("+literal+"), pragma_version()"+
		" WHERE created_by = 'DuckDB version ' || library_version || ' (build ' || source_id || ')'")
	if err != nil {
		return err
	}
	rows, err := s.db.Query(ctx, "SELECT path_in_schema, sum(num_values)::BIGINT, sum(stats_null_count)::BIGINT,"+
		" bool_and((stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL) OR stats_null_count = num_values)"+
		" FROM parquet_metadata("+literal+") GROUP BY path_in_schema HAVING count(*) = count(stats_null_count)")
	if err != nil {
		return err
	}
	defer rows.Close()
	s.nulls, s.ranged = map[string]int64{}, map[string]bool{}
	for rows.Next() {
		var name string
		var values, nulls int64
		var ranged bool
		if err := rows.Scan(&name, &values, &nulls, &ranged); err != nil {
			return err
		}
		sqlType, ok := s.types[name]
		if !ok || nested(sqlType) || values != s.rows || nulls > s.rows {
			continue // such as a field inside a column that is spelled like it
		}
		s.nulls[name] = nulls
		floating := sqlType == "DOUBLE" || sqlType == "FLOAT"
		s.ranged[name] = ranged && (kindOf(sqlType) == moment || (kindOf(sqlType) == numeric && (!floating || own == 1)))
	}
	return duck.Translate(ctx, "", rows.Err())
}

// nan is the condition of a value that is not a number, "" for columns that have none.
func (s *session) nan(c duck.Column, col string) string {
	if (c.Type == "DOUBLE" || c.Type == "FLOAT") && !s.ranged[c.Name] {
		return "isnan(" + col + ")"
	}
	return ""
}

// present is the expression of how many values of a column are not null.
func (s *session) present(column string) string {
	if n, ok := s.nulls[column]; ok {
		return counted(s.rows - n)
	}
	return "count(" + duck.Ident(column) + ")"
}

// absent is the expression of how many values of a column are null.
func (s *session) absent(column string) string {
	if n, ok := s.nulls[column]; ok {
		return counted(n)
	}
	return "count_if(" + duck.Ident(column) + " IS NULL)"
}

// counted is the expression of a count that is known.
func counted(n int64) string { return strconv.FormatInt(n, 10) }

// prove settles the numbers of bounds that hold for the least and the greatest value of a column, where these are known
// without reading it. What is not proven is left to the scan.
func (s *session) prove(ctx context.Context, list []*measure) error {
	var candidates []*measure
	for _, m := range list {
		if m.e.Type == "column_values_to_be_between" && m.mismatch == nil && s.ranged[m.a.Column] {
			candidates = append(candidates, m)
		}
	}
	return halve(ctx, candidates, func(list []*measure) error {
		values, err := s.evaluate(ctx, list, s.source(list), func(m *measure) []string {
			col := duck.Ident(m.a.Column)
			return []string{m.numbers[0], fmt.Sprintf("min(%s)", col), fmt.Sprintf("max(%s)", col)}
		})
		for i, m := range list[:len(values)] {
			v := values[i]
			if v[1] != nil && v[2] != nil && within(m.a, v[1]) && within(m.a, v[2]) {
				m.values = []any{v[0], int64(0)}
			}
		}
		return err
	}, func(*measure, error) {})
}

func within(a check.Args, value any) bool {
	ok, err := a.Holds(operand(value))
	return err == nil && ok
}
