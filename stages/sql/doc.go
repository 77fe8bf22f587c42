// Package sql is the stage type "sql": one SELECT over its inputs, run by an embedded DuckDB that can read these inputs
// and nothing else.
//
// The same inputs must give the same bytes, so that one thread computes, rows have an order that does not depend on how
// they were found, and functions of the clock, of chance, of the session and of files are refused before anything runs.
// The package refuses to know what the columns mean.
package sql
