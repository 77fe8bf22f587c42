package expect

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"pipe/engine/check"
)

// table settles what the description of the table answers.
func (s *session) table(m *measure) {
	names := s.info.Names()
	switch m.e.Type {
	case "table_row_count_to_be_between":
		m.settle(check.Observed(m.e, m.a, s.rows))
	case "table_row_count_to_equal":
		exact := m.a
		exact.MinValue = json.Number(strconv.FormatInt(m.a.Value, 10))
		exact.MaxValue = exact.MinValue
		ok, err := exact.Holds(s.rows)
		if err != nil {
			m.broken(err)
			return
		}
		r := check.NewResult(m.e)
		r.Success, r.ObservedValue = ok, s.rows
		r.Message = check.About(m.e, m.a) + ": it is " + check.Group(s.rows)
		m.settle(r)
	case "table_column_count_to_be_between":
		m.settle(check.Observed(m.e, m.a, int64(len(names))))
	case "column_to_exist":
		what := "it exists"
		_, err := s.column(m.a.Column)
		if err != nil {
			what = err.Error()
		}
		m.settle(decided(m, names, err == nil, what))
	case "table_columns_to_match_set":
		missing, extra := difference(m.a.ColumnSet, names), difference(names, m.a.ColumnSet)
		if !m.a.ExactMatch {
			extra = nil
		}
		m.settle(decided(m, names, len(missing) == 0 && len(extra) == 0, differs(missing, extra)))
	case "table_columns_to_match_ordered_list":
		m.settle(decided(m, names, slices.Equal(names, m.a.ColumnList), "the columns are "+listed(names)))
	}
}

func decided(m *measure, observed []string, ok bool, what string) check.Result {
	r := check.NewResult(m.e)
	r.Success, r.ObservedValue = ok, observed
	r.Message = check.About(m.e, m.a) + ": " + what
	return r
}

// difference lists what is in a and not in b.
func difference(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func differs(missing, extra []string) string {
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "missing: "+listed(missing))
	}
	if len(extra) > 0 {
		parts = append(parts, "unexpected: "+listed(extra))
	}
	if len(parts) == 0 {
		return "the columns match"
	}
	return strings.Join(parts, "; ")
}
