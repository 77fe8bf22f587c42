package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"pipe/stages/internal/redact"
)

// VersionTable is where the applied migrations are kept, apart from those of a team that uses goose itself.
const VersionTable = "core.pipe_migrations"

// lockID is what migrating processes wait for each other on. It is an arbitrary number of pipe's own.
const lockID = 7413950281

// Session is an open database. It is good for one effect: close it after.
type Session struct {
	*sql.DB
	Place    string // host:port/database
	password string
}

// Options of a session.
type Options struct {
	StatementTimeout time.Duration // of the server; 0: as the server has it
}

// Open connects. A server that can't be reached is a plain error, so that it is tried again.
func Open(ctx context.Context, url string, o Options) (*Session, error) {
	c, err := parse(url)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if o.StatementTimeout > 0 {
		c.RuntimeParams["statement_timeout"] = strconv.FormatInt(o.StatementTimeout.Milliseconds(), 10)
	}
	c.RuntimeParams["application_name"] = "pipe"
	s := &Session{DB: stdlib.OpenDB(*c), Place: place(c), password: c.Password}
	s.SetMaxOpenConns(2)
	if err := s.PingContext(ctx); err != nil {
		s.Close()
		return nil, s.Clean(fmt.Errorf("connect to PostgreSQL at %s: %w", s.Place, err))
	}
	return s, nil
}

// Place returns host:port/database of a URL.
func Place(url string) (string, error) {
	c, err := parse(url)
	if err != nil {
		return "", err
	}
	return place(c), nil
}

// parse never shows what it could not read: any part of it may be the password.
func parse(url string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the value is no PostgreSQL URL: write postgres://user:password@host:port/database (the value is a secret and is not shown)")
	}
	return c, nil
}

func place(c *pgx.ConnConfig) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// Clean takes the password out of an error.
func (s *Session) Clean(err error) error { return redact.Error(err, s.password) }

// Migrate brings the tables up to date. Several processes may do so at once.
func (s *Session) Migrate(ctx context.Context, migrations fs.FS) error {
	if err := s.makeSchema(ctx); err != nil {
		return s.Clean(fmt.Errorf("create the schema core at %s: %w", s.Place, err))
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.DB, migrations, goose.WithSessionLocker(locker),
		goose.WithTableName(VersionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return s.Clean(err)
	}
	if _, err := p.Up(ctx); err != nil {
		return s.Clean(fmt.Errorf("bring the tables at %s up to date: %w", s.Place, err))
	}
	return nil
}

// makeSchema makes the schema that the version table lies in. The lock is there because "if not exists" still fails
// when two do it at once.
func (s *Session) makeSchema(ctx context.Context) error {
	var there bool
	if err := s.QueryRowContext(ctx, "select to_regnamespace('core') is not null").Scan(&there); err != nil || there {
		return err
	}
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", int64(lockID+1)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "create schema if not exists core"); err != nil {
		return err
	}
	return tx.Commit()
}

// NoTable reports whether err says that the table or its schema does not exist.
func NoTable(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "42P01" || pe.Code == "3F000")
}
