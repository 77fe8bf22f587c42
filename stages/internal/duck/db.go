package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Options are the settings of a session. The zero value is a session that does not spill to disk.
type Options struct {
	Threads int    // 0 is 1
	Scratch string // an existing directory for what does not fit into memory; "" for none
	Memory  int64  // bytes; 0 is 2 GiB

	// Only lists the files and directories that queries may touch, reading or writing. nil restricts nothing, so text
	// that a user wrote must never run in a session where Only is nil.
	Only []string
}

const defaultMemory = 2 << 30

// DB is a session. It is safe for concurrent use; tables and views made in it are seen by all its queries.
type DB struct {
	sql *sql.DB
}

// Open starts a session. Close must be called.
func Open(ctx context.Context, o Options) (*DB, error) {
	connector, err := duckdb.NewConnector("?autoinstall_known_extensions=false&autoload_known_extensions=false", nil)
	if err != nil {
		return nil, fmt.Errorf("opening an in-memory database: %w", err)
	}
	db := &DB{sql: sql.OpenDB(connector)}
	for _, s := range o.settings() {
		if err := db.Exec(ctx, s); err != nil {
			_ = db.Close()
			return nil, fmt.Errorf("setting up an in-memory database: %w", err)
		}
	}
	return db, nil
}

// settings returns the statements that set up a session, the locks last.
func (o Options) settings() []string {
	threads, memory := max(o.Threads, 1), o.Memory
	if memory == 0 {
		memory = defaultMemory
	}
	list := []string{
		"SET GLOBAL threads = " + strconv.Itoa(threads),
		"SET GLOBAL memory_limit = '" + strconv.FormatInt(memory>>20, 10) + "MiB'",
		"SET GLOBAL preserve_insertion_order = true",
		"SET GLOBAL TimeZone = 'UTC'",
		"SET GLOBAL temp_directory = " + Literal(o.Scratch),
		"SET GLOBAL allow_community_extensions = false",
	}
	if o.Only != nil {
		only := make([]string, 0, len(o.Only))
		for _, p := range o.Only {
			only = append(only, Literal(p))
		}
		allowed := "[" + strings.Join(only, ", ") + "]::VARCHAR[]"
		list = append(list,
			"SET GLOBAL allowed_paths = "+allowed,
			"SET GLOBAL allowed_directories = "+allowed,
			"SET GLOBAL enable_external_access = false",
		)
	}
	return append(list, "SET GLOBAL lock_configuration = true")
}

// Close ends the session.
func (db *DB) Close() error { return db.sql.Close() }

// Exec runs one statement. Arguments are bound to $1, $2, … or, made by sql.Named, to $name.
func (db *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := db.sql.ExecContext(ctx, query, args...)
	return translate(ctx, query, err)
}

// Query runs one statement that returns rows. Errors of the rows themselves go through Translate.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := db.sql.QueryContext(ctx, query, args...)
	return rows, translate(ctx, query, err)
}

// Row runs a statement whose one row is scanned into dest.
func (db *DB) Row(ctx context.Context, dest []any, query string, args ...any) error {
	err := db.sql.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return translate(ctx, query, err)
}

// Count returns the number of rows of what stands in a FROM clause: a table's name, Scan(path), Table.SQL, (SELECT …).
func (db *DB) Count(ctx context.Context, from string) (int64, error) {
	var n int64
	err := db.Row(ctx, []any{&n}, "SELECT count(*) FROM "+from)
	return n, err
}

// Raw calls f with a connection of the driver.
func (db *DB) Raw(ctx context.Context, f func(*duckdb.Conn) error) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(dc any) error { return f(dc.(*duckdb.Conn)) })
}

// Ident quotes a name for SQL.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal quotes a string for SQL.
func Literal(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

func base(path string) string { return filepath.Base(path) }
