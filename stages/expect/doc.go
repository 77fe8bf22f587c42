// Package expect evaluates expectations on tables with DuckDB. All of one table are fused into one scan as far as
// possible: every row-by-row expectation and every aggregate is a column of one SELECT; those that look at neighbours
// share one pass of windows; uniqueness is one grouping for each key. Only failing rows need a further query. One
// expectation that can't be evaluated does not touch the others. The package refuses to know which node a table is of.
package expect
