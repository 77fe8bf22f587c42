// Package migrations holds the SQL of the model registry's tables, for PostgreSQL and for the embedded SQLite, in the
// form that goose reads. On SQLite the schemas core and audit are attached database files. The package refuses to know
// how a database is opened.
package migrations
