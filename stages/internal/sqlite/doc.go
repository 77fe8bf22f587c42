// Package sqlite opens the embedded database for publish types: a directory with one file for each schema. The file
// migrations.db is the main one and holds which migrations were applied; core.db and audit.db are attached to it under
// these names, so that the same SQL runs as on PostgreSQL.
//
// A transaction over the files is atomic, also when the machine crashes, because the main database is a file and the
// journal is a rollback journal; with a main database in memory, or with a write-ahead log, each file would be on its
// own. The package refuses to know what the tables are for.
package sqlite
