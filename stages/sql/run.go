package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	duckdb "github.com/duckdb/duckdb-go/v2"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

const (
	outFile = "data.parquet"
	result  = "pipe_sql_result"
	keyName = "_key"
)

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	only := []string{out.Path(outFile)}
	for _, i := range in {
		if i.Table() == "" {
			return fmt.Errorf("input %q has no table: it is an artifact of files alone", i.Label)
		}
		only = append(only, i.Table())
	}
	// One thread, because sums of floating-point numbers depend on how the rows are shared among threads.
	db, err := duck.Open(ctx, duck.Options{Threads: 1, Scratch: env.Scratch, Only: only})
	if err != nil {
		return err
	}
	defer db.Close()
	for _, name := range r.inputs {
		if err := view(ctx, db, name, in.Group(name)); err != nil {
			return err
		}
	}
	if err := db.Raw(ctx, func(c *duckdb.Conn) error { return r.prepare(ctx, c) }); err != nil {
		return err
	}
	create := "CREATE TABLE " + result + " AS\n"
	if err := db.Exec(ctx, create+r.query, r.arguments()...); err != nil {
		return r.explain(err, 1)
	}
	query, err := r.ordering(ctx, db)
	if err != nil {
		return err
	}
	rows, err := db.WriteParquet(ctx, out.Path(outFile), query)
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	out.Table(outFile, rows)
	return nil
}

// view makes the table that the query knows as name.
func view(ctx context.Context, db *duck.DB, name string, group stage.Inputs) error {
	single := len(group) == 1 && group[0].Label == name
	selects := make([]string, 0, len(group))
	for _, i := range group {
		t, err := db.Table(ctx, i.Table())
		if err != nil {
			return fmt.Errorf("input %q: %w", i.Label, err)
		}
		if len(t.Columns) == 0 {
			if single {
				return fmt.Errorf("input %q: %s holds neither rows nor columns, so no query can read it", i.Label, t.Name)
			}
			continue
		}
		sel := "SELECT * FROM " + t.SQL
		if !single {
			if _, taken := t.Column(keyName); taken {
				return fmt.Errorf("input %q has a column %s, which is where the key of each instance goes: rename it", i.Label, keyName)
			}
			sel = "SELECT *, " + duck.Literal(key(i.Label)) + " AS " + keyName + " FROM " + t.SQL
		}
		selects = append(selects, sel)
	}
	if len(selects) == 0 {
		return fmt.Errorf("none of the instances of input %q holds rows or columns, so no query can read it", name)
	}
	return db.Exec(ctx, "CREATE VIEW "+duck.Ident(name)+" AS "+strings.Join(selects, " UNION ALL BY NAME "))
}

// key returns what stands in the brackets of a label.
func key(label string) string {
	i := strings.IndexByte(label, '[')
	if i < 0 {
		return label
	}
	k := strings.TrimSuffix(label[i+1:], "]")
	if s, err := strconv.Unquote(k); err == nil {
		return s
	}
	return k
}

// prepare checks the query as DuckDB understands it, in addition to what was checked in the text.
func (r *runner) prepare(ctx context.Context, c *duckdb.Conn) error {
	prepared, err := c.Prepare(r.query)
	if err != nil {
		return r.explain(duck.Translate(ctx, r.query, err), 0)
	}
	defer prepared.Close()
	stmt := prepared.(*duckdb.Stmt)
	kind, err := stmt.StatementType()
	if err != nil {
		return duck.Translate(ctx, r.query, err)
	}
	if kind != duckdb.STATEMENT_TYPE_SELECT {
		return stage.Attrf("query", "the query is no SELECT: a stage makes a table and changes nothing")
	}
	return nil
}

func (r *runner) arguments() []any {
	var args []any
	for _, name := range sortedNames(r.params) {
		args = append(args, sql.Named(name, r.params[name]))
	}
	return args
}

// explain turns an error of the query into one about the attribute, with its place; shift is how many lines stand before the
// query in what was run.
func (r *runner) explain(err error, shift int) error {
	var e *duck.Error
	if !errors.As(err, &e) {
		return err
	}
	said := e.Text
	if name, ok := strings.CutPrefix(said, `there is no table "`); ok {
		said += r.tables(strings.TrimSuffix(name, `"`))
	}
	if line := e.Line - shift; line > 0 && e.Column > 0 {
		return stage.Attrf("query", "%s: %s", token{line: line, column: e.Column}.place(), said)
	}
	return stage.Attrf("query", "%s", said)
}

// tables ends a sentence about an unknown table.
func (r *runner) tables(name string) string {
	for _, in := range r.inputs {
		if levenshtein.Distance(strings.ToLower(name), strings.ToLower(in), nil) <= len(name)/3+1 {
			return fmt.Sprintf(": did you mean %q?", in)
		}
	}
	return ": the inputs are " + strings.Join(r.inputs, ", ")
}

// ordering returns the query that reads the result in its order, in types that a Parquet file holds.
func (r *runner) ordering(ctx context.Context, db *duck.DB) (string, error) {
	columns, err := db.Columns(ctx, result)
	if err != nil {
		return "", err
	}
	t := &duck.Table{Name: "the result", Columns: columns}
	list := make([]string, 0, len(columns))
	for _, c := range columns {
		name := duck.Ident(c.Name)
		switch c.Type {
		case "TIMESTAMP WITH TIME ZONE":
			name = "timezone('UTC', " + name + ") AS " + name
		case "HUGEINT", "UHUGEINT":
			name = name + "::BIGINT AS " + name
		}
		list = append(list, name)
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM " + result
	if r.ordered {
		return query, nil
	}
	var by []string
	done := map[string]bool{}
	for i, o := range r.order {
		c, ok := t.Column(o.column)
		if !ok {
			return "", fmt.Errorf("order_by[%d]: %w", i, t.Require(o.column))
		}
		done[c.Name] = true
		by = append(by, r.term(c.Name, o.descending))
	}
	for _, c := range columns {
		if !done[c.Name] {
			by = append(by, r.term(c.Name, false))
		}
	}
	return query + " ORDER BY " + strings.Join(by, ", "), nil
}

// term orders by one column; where a value is missing, last.
func (r *runner) term(column string, descending bool) string {
	direction := " ASC"
	if descending {
		direction = " DESC"
	}
	return result + "." + duck.Ident(column) + direction + " NULLS LAST"
}
