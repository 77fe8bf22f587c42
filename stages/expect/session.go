package expect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pipe/engine/diag"
	"pipe/stages/internal/duck"
)

// session is one table with what was found out about it.
type session struct {
	db     *duck.DB
	info   *duck.Table
	base   string            // what the columns are read from
	zoned  map[string]bool   // columns that are converted to UTC
	types  map[string]string // by column
	rowID  string            // an expression over base: the number of the row from 0, in the order of the file
	prefix string            // of names that no column has
	rows   int64
	nulls  map[string]int64 // nulls of columns where the file says how many there are
}

// open describes the table. What is not Parquet is read once into memory, because it is slow to read again.
func open(ctx context.Context, db *duck.DB, path string) (*session, error) {
	info, err := db.Table(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &session{db: db, info: info, base: info.SQL, zoned: map[string]bool{}, types: map[string]string{}, prefix: "__pipe"}
	for _, c := range info.Columns {
		s.types[c.Name] = c.Type
		for strings.HasPrefix(strings.ToLower(c.Name), s.prefix) {
			s.prefix += "_"
		}
	}
	if len(info.Columns) == 0 {
		return s, nil
	}
	if duck.FormatOf(path) != duck.Parquet {
		return s, s.load(ctx)
	}
	s.base, s.rowID = duck.Scan(path), "file_row_number"
	for _, name := range info.Zoned {
		s.zoned[name] = true
	}
	s.numberedBy("file_row_number")
	if s.rows, err = db.Count(ctx, s.base); err != nil {
		return nil, err
	}
	s.nulls, err = nullCounts(ctx, db, path, info, s.rows)
	return s, err
}

// nullCounts returns how many nulls the columns of a Parquet file have, as far as it says so for every part of a column.
func nullCounts(ctx context.Context, db *duck.DB, path string, info *duck.Table, total int64) (map[string]int64, error) {
	literal := duck.Literal(strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)) // not a pattern
	rows, err := db.Query(ctx, "SELECT path_in_schema, sum(num_values)::BIGINT, sum(stats_null_count)::BIGINT FROM parquet_metadata("+literal+
		") GROUP BY path_in_schema HAVING count(*) = count(stats_null_count)")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	flat := map[string]bool{}
	for _, c := range info.Columns {
		flat[c.Name] = !nested(c.Type)
	}
	counts := map[string]int64{}
	for rows.Next() {
		var name string
		var values, nulls int64
		if err := rows.Scan(&name, &values, &nulls); err != nil {
			return nil, err
		}
		if flat[name] && values == total && nulls <= total { // and not a field inside a column that is spelled like it
			counts[name] = nulls
		}
	}
	return counts, duck.Translate(ctx, "", rows.Err())
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

// load reads the table into memory.
func (s *session) load(ctx context.Context) error {
	// A temporary table would be seen by one connection only.
	if err := s.db.Exec(ctx, "CREATE TABLE subject AS SELECT * FROM "+s.info.SQL); err != nil {
		return err
	}
	s.base = "subject"
	s.numberedBy("rowid")
	var err error
	s.rows, err = s.db.Count(ctx, s.base)
	return err
}

// numberedBy takes a hidden column as the number of the row, unless a column of the table hides it.
func (s *session) numberedBy(hidden string) {
	s.rowID = hidden
	for _, c := range s.info.Columns {
		if strings.EqualFold(c.Name, hidden) {
			s.rowID = "row_number() OVER () - 1"
		}
	}
}

// name makes a name that no column has.
func (s *session) name(suffix string) string { return duck.Ident(s.prefix + "_" + suffix) }

// row is the column of relation that numbers the rows.
func (s *session) row() string { return s.name("row") }

// relation stands in a FROM clause: some columns of the table, and the number of the row.
func (s *session) relation(columns []string) string {
	list := make([]string, 0, len(columns)+1)
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c] {
			continue
		}
		seen[c] = true
		col := duck.Ident(c)
		if s.zoned[c] {
			col = fmt.Sprintf("timezone('UTC', %s) AS %s", col, col)
		}
		list = append(list, col)
	}
	list = append(list, s.rowID+" AS "+s.row())
	return fmt.Sprintf("(SELECT %s FROM %s)", strings.Join(list, ", "), s.base)
}

// column finds a column by its exact name.
func (s *session) column(name string) (duck.Column, error) {
	if t, ok := s.types[name]; ok {
		return duck.Column{Name: name, Type: t}, nil
	}
	if len(s.info.Columns) == 0 {
		return duck.Column{}, fmt.Errorf("the table has no column %q: it holds no rows", name)
	}
	return duck.Column{}, fmt.Errorf("the table has no column %q; it has %s.%s", name, listed(s.info.Names()), suggestion(name, s.info.Names()))
}

// listed spells names, not too many of them.
func listed(names []string) string {
	const most = 30
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// suggestion also finds a name that differs in case only.
func suggestion(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return fmt.Sprintf(" Did you mean %q?", n)
		}
	}
	return diag.DidYouMean(name, names)
}
