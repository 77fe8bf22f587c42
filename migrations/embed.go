package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql
var postgres embed.FS

//go:embed sqlite/*.sql
var sqlite embed.FS

// Postgres returns the migrations for PostgreSQL.
func Postgres() fs.FS { return sub(postgres, "postgres") }

// SQLite returns the migrations for SQLite with core and audit attached.
func SQLite() fs.FS { return sub(sqlite, "sqlite") }

func sub(f fs.FS, dir string) fs.FS {
	s, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return s
}
