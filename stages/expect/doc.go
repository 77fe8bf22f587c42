// Package expect evaluates expectations on tables with DuckDB, in as few scans as it can:
//
//   - one scan for all row-by-row expectations and aggregates: each is a column of one SELECT, and what several of them
//     need is computed once;
//   - one pass of windows for those that compare a row with the one before it;
//   - one grouping for each key that must be unique;
//   - for expectations that have failing rows: one more pass for the numbers of these rows, and one read of the rows.
//
// Sums of floating-point numbers depend on the order of addition, so they are computed by one thread; everything else
// is the same on any number of threads and uses all of them where a Parquet file is large. Equal tables give bit-equal
// results on every machine.
//
// A statement that fails is halved until the expectation is found that can't be evaluated, so one of them never touches
// the others. The package refuses to know which node a table is of.
package expect
