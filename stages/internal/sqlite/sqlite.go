package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	driversqlite "modernc.org/sqlite"

	"pipe/stages/internal/durable"
)

const (
	mainFile = "migrations.db"
	busy     = "10000" // milliseconds to wait for another process
)

// schemas are the attached files, by their names.
func schemas() []string { return []string{"core", "audit"} }

// Session is an open database. Every transaction takes the write lock of all files when it begins.
type Session struct {
	*sql.DB
	dir string
}

// Open opens the database in dir, creating what is missing.
func Open(ctx context.Context, dir string) (*Session, error) {
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	base, err := driversqlite.NewConnector(dsn(filepath.Join(dir, mainFile), url.Values{
		"_txlock": {"immediate"}, "_pragma": {"busy_timeout(" + busy + ")", "journal_mode(DELETE)", "synchronous(FULL)"}}))
	if err != nil {
		return nil, err
	}
	s := &Session{DB: sql.OpenDB(attaching{base, dir}), dir: dir}
	s.SetMaxOpenConns(1)
	if err := s.PingContext(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open the database in %s: %w", dir, err)
	}
	return s, nil
}

// OpenCore opens core.db alone, for reading, as the schema main. It creates nothing: the error is fs.ErrNotExist if there is no
// database. What a crashed writer left half done is rolled back first.
func OpenCore(ctx context.Context, dir string) (*sql.DB, error) {
	path := filepath.Join(dir, "core.db")
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(" + busy + ")", "query_only(1)"}}))
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func dsn(path string, q url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// attaching attaches the schemas to every connection, because they belong to the connection and not to the database.
type attaching struct {
	driver.Connector
	dir string
}

func (a attaching) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := a.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	x, ok := c.(driver.ExecerContext)
	if !ok {
		c.Close()
		return nil, errors.New("the SQLite driver can't attach databases")
	}
	for _, name := range schemas() {
		args := []driver.NamedValue{{Ordinal: 1, Value: filepath.Join(a.dir, name+".db")}}
		if _, err := x.ExecContext(ctx, "attach database ? as "+name, args); err != nil {
			c.Close()
			return nil, fmt.Errorf("attach %s.db: %w", name, err)
		}
	}
	return c, nil
}

// Migrate brings the tables up to date. Several processes may do so at once: the loser of the race finds nothing to do.
func (s *Session) Migrate(ctx context.Context, migrations fs.FS) error {
	release, err := durable.Lock(ctx, s.dir)
	if err != nil {
		return err
	}
	defer release()
	p, err := goose.NewProvider(goose.DialectSQLite3, s.DB, migrations, goose.WithTableName("pipe_migrations"),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables in %s up to date: %w", s.dir, err)
	}
	return nil
}

// Whole returns an error if the files were removed under the session, so that what it wrote is lost.
func (s *Session) Whole() error {
	for _, name := range append(schemas(), strings.TrimSuffix(mainFile, ".db")) {
		if _, err := os.Stat(filepath.Join(s.dir, name+".db")); err != nil {
			return fmt.Errorf("the database in %s was removed while it was written to: %w", s.dir, err)
		}
	}
	return nil
}

// Remove deletes the files of the database. The caller holds a transaction, so that nobody is writing.
func (s *Session) Remove() error {
	for _, name := range append(schemas(), strings.TrimSuffix(mainFile, ".db")) {
		for _, suffix := range []string{".db", ".db-journal"} {
			if err := os.Remove(filepath.Join(s.dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
