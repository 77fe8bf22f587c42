package expect

import (
	"context"
	"fmt"
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
	ranged map[string]bool  // columns of which the file knows the least and the greatest value, and none is NaN
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
	return s, s.statistics(ctx, path)
}

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
