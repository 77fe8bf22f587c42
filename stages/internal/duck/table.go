package duck

import (
	"context"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Column is a column of a table with its SQL type, such as DOUBLE, BIGINT, VARCHAR, TIMESTAMP.
type Column struct{ Name, Type string }

// Table is a table in one or more files that can be read.
type Table struct {
	Name    string   // base name of the file, or of the first one
	Columns []Column // none if the file holds no rows and no header
	Zoned   []string // columns whose values carried a zone
	SQL     string   // stands in a FROM clause; columns with a time zone are converted to TIMESTAMP in UTC
}

// Table describes the table in a file whose format is that of its ending.
func (db *DB) Table(ctx context.Context, path string) (*Table, error) {
	format := FormatOf(path)
	if format == "" {
		return nil, fmt.Errorf("%s is no table: its ending is none of .json, .ndjson, .jsonl, .csv, .parquet", base(path))
	}
	return db.TableOf(ctx, []string{path}, format, Dialect{})
}

// TableOf describes the table in files of one format: the union of their columns by name, rows in the order of paths.
// The files end in .gz all or not at all.
func (db *DB) TableOf(ctx context.Context, paths []string, format Format, d Dialect) (*Table, error) {
	var full []string
	for _, p := range paths {
		empty, err := peek(p, format)
		if err != nil {
			return nil, err
		}
		if !empty {
			full = append(full, p)
		}
	}
	t := &Table{Name: base(paths[0])}
	if len(full) == 0 {
		t.SQL = `(SELECT NULL AS "_" WHERE false)`
		return t, nil
	}
	from := scan(full, format, d)
	columns, err := db.Columns(ctx, from)
	if err != nil {
		if format == CSV {
			err = diagnose(full, d, err)
		}
		return nil, err
	}
	t.Columns = columns
	t.SQL = t.utc(from)
	return t, nil
}

// utc wraps from so that moments are TIMESTAMP without zone.
func (t *Table) utc(from string) string {
	var replace []string
	for i, c := range t.Columns {
		if c.Type == "TIMESTAMP WITH TIME ZONE" {
			t.Columns[i].Type = "TIMESTAMP"
			t.Zoned = append(t.Zoned, c.Name)
			replace = append(replace, fmt.Sprintf("timezone('UTC', %s) AS %s", Ident(c.Name), Ident(c.Name)))
		}
	}
	if len(replace) == 0 {
		return from
	}
	return "(SELECT * REPLACE (" + strings.Join(replace, ", ") + ") FROM " + from + ")"
}

// Columns returns the columns of what stands in a FROM clause.
func (db *DB) Columns(ctx context.Context, from string) ([]Column, error) {
	rows, err := db.Query(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Column
	for rows.Next() {
		var c Column
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, translate(ctx, "", rows.Err())
}

// Verify reads every value of the table, because some damage is found only then, and returns the number of rows.
func (db *DB) Verify(ctx context.Context, t *Table) (int64, error) {
	if len(t.Columns) == 0 {
		return 0, nil
	}
	var rows int64
	var mix any // so that no column is left out of the plan
	err := db.Row(ctx, []any{&rows, &mix}, "SELECT count(*), bit_xor(hash(*COLUMNS(*))) FROM "+t.SQL)
	return rows, err
}

// Names returns the names of the columns.
func (t *Table) Names() []string {
	names := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return names
}

// Column returns the column called name; SQL takes no notice of case, so neither does Column.
func (t *Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Column{}, false
}

// Require returns an error about the first of the names that is no column of the table.
func (t *Table) Require(names ...string) error {
	for _, name := range names {
		if _, ok := t.Column(name); ok {
			continue
		}
		if len(t.Columns) == 0 {
			return fmt.Errorf("%s has no column %q: it holds no rows", t.Name, name)
		}
		return fmt.Errorf("%s has no column %q%s", t.Name, name, suggest(name, t.Names()))
	}
	return nil
}

// suggest ends a sentence about an unknown name: with the likeliest one that is meant, or with all there are.
func suggest(name string, known []string) string {
	best, dist := "", len(name)/3+2
	for _, k := range known {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(k), nil); d < dist {
			best, dist = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	if len(known) > 20 {
		return fmt.Sprintf(": the first of its %d columns are %s", len(known), strings.Join(known[:20], ", "))
	}
	return ": its columns are " + strings.Join(known, ", ")
}
