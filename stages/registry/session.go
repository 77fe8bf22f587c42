package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"pipe/engine/stage"
	"pipe/migrations"
	"pipe/stages/internal/pg"
	"pipe/stages/internal/sqlite"
)

// target says where the tables are, without a secret.
type target struct {
	Secret string `json:"secret,omitempty"` // the environment variable with PostgreSQL's URL
	Place  string `json:"place,omitempty"`  // host:port/database that it named
	Path   string `json:"path,omitempty"`   // the directory of the SQLite files, as the plan file has it
}

func (t target) String() string {
	if t.Secret != "" {
		return t.Place
	}
	return t.Path
}

// identity is the part of the target that configuration alone decides.
func (t target) identity() string {
	if t.Secret != "" {
		return "postgres " + t.Secret
	}
	return "sqlite " + t.Path
}

func (r *runner) target(env stage.Env) (target, error) {
	if r.Database == nil {
		return target{Path: path.Clean(filepath.ToSlash(r.Path))}, nil
	}
	url, err := env.Secret(r.Database)
	if err != nil {
		return target{}, err
	}
	place, err := pg.Place(url)
	if err != nil {
		return target{}, fmt.Errorf("secret(%q): %w", r.Database.Name, err)
	}
	return target{Secret: r.Database.Name, Place: place}, nil
}

// session is an open registry. It hides what differs between PostgreSQL and SQLite.
type session struct {
	db        *sql.DB
	lock      string              // statement that takes the lock on a model's name; "" if beginning a transaction does
	forUpdate string              // suffix of a select that holds its row
	at        func(time.Time) any // how a time is written
	clean     func(error) error   // takes secrets out of an error
	migrate   func(context.Context) error
	committed func() error // says whether what was committed is really there
	remove    func() error // deletes an empty database; nil if that is not ours to do
}

func (s *session) close() { s.db.Close() }

// open opens the registry of a target that exists or may be made.
func (r *runner) open(ctx context.Context, env stage.Env, t target) (*session, error) {
	if t.Secret == "" {
		dir, err := env.Path(t.Path)
		if err != nil {
			return nil, err
		}
		db, err := sqlite.Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		return &session{db: db.DB, clean: func(err error) error { return err }, committed: db.Whole, remove: db.Remove,
			at:      func(t time.Time) any { return t.UTC().Format(time.RFC3339Nano) },
			migrate: func(ctx context.Context) error { return db.Migrate(ctx, migrations.SQLite()) }}, nil
	}
	url, err := env.Secret(&stage.Secret{Name: t.Secret})
	if err != nil {
		return nil, err
	}
	db, err := pg.Open(ctx, url, pg.Options{StatementTimeout: time.Duration(r.StatementTimeoutMS) * time.Millisecond})
	if err != nil {
		return nil, err
	}
	if db.Place != t.Place {
		db.Close()
		return nil, fmt.Errorf("secret(%q) names %s, but this was published to %s: set the variable back", t.Secret, db.Place, t.Place)
	}
	return &session{db: db.DB, clean: db.Clean, committed: func() error { return nil }, forUpdate: " for update",
		lock:    "select pg_advisory_xact_lock(hashtextextended('pipe.model_registry/' || $1::text, 0))",
		at:      func(t time.Time) any { return t.UTC() },
		migrate: func(ctx context.Context) error { return db.Migrate(ctx, migrations.Postgres()) }}, nil
}

// inTransaction runs fn while it alone may change the versions of the model.
func (s *session) inTransaction(ctx context.Context, modelName string, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.clean(err)
	}
	defer tx.Rollback()
	if s.lock != "" {
		if _, err := tx.ExecContext(ctx, s.lock, modelName); err != nil {
			return s.clean(err)
		}
	}
	if err := fn(tx); err != nil {
		return s.clean(err)
	}
	if err := tx.Commit(); err != nil {
		return s.clean(err)
	}
	return s.committed()
}

// Pin implements stage.Pinner: the version that is deployed now. A registry that does not exist yet has none.
func (r *runner) Pin(ctx context.Context, env stage.Env) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if r.Database == nil {
		return r.pinSQLite(ctx, env)
	}
	t, err := r.target(env)
	if err != nil {
		return "", err
	}
	s, err := r.open(ctx, env, t)
	if err != nil {
		return "", err
	}
	defer s.close()
	version, err := deployedVersion(ctx, s.db, "core.model_registry", r.ModelName)
	if pg.NoTable(err) {
		return "", nil
	}
	return version, s.clean(err)
}

func (r *runner) pinSQLite(ctx context.Context, env stage.Env) (string, error) {
	dir, err := env.Path(r.Path)
	if err != nil {
		return "", err
	}
	db, err := sqlite.OpenCore(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer db.Close()
	var tables int
	err = db.QueryRowContext(ctx, "select count(*) from sqlite_schema where type = 'table' and name = 'model_registry'").Scan(&tables)
	if err != nil || tables == 0 {
		return "", err
	}
	return deployedVersion(ctx, db, "model_registry", r.ModelName)
}

func deployedVersion(ctx context.Context, db *sql.DB, table, modelName string) (version string, err error) {
	q := "select model_version from " + table + " where model_name = $1 and status = 'deployed'"
	err = db.QueryRowContext(ctx, q, modelName).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return version, err
}
