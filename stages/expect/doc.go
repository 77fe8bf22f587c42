// Package expect evaluates expectations on tables with DuckDB, in as few scans as it can:
//
//   - one scan for all row-by-row expectations and aggregates: each is a column of one SELECT, and what several of them
//     need is computed once;
//   - one pass of windows for those that compare a row with the one before it;
//   - one grouping for each key that must be unique;
//   - for expectations that have failing rows: one more pass for the numbers of these rows, and one read of the rows.
//
// A large table is divided by columns: each part is one statement that one thread runs, several side by side. So no column
// is read twice in a scan, and sums of floating-point numbers, which depend on the order of addition, are bit-equal on every
// machine. Counts of nulls come from the file where it has them. Other statistics are believed for whole numbers and
// moments only: those of floating-point numbers leave NaN out.
//
// A statement that fails is halved until the expectation is found that can't be evaluated, so one of them never touches
// the others. The package refuses to know which node a table is of.
package expect
