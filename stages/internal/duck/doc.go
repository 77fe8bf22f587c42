// Package duck opens sessions on an embedded DuckDB for the types that read and write tables: in memory, without
// network, extensions or a clock, with settings under which equal inputs give bit-equal Parquet files.
//
//	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
//	defer db.Close()
//	bars, err := db.Table(ctx, input.Table())       // checked, described; bars.SQL stands in a FROM clause
//	err = bars.Require("timestamp", "close")
//	var at duck.Seconds
//	var price []float64
//	err = db.Fetch(ctx, []any{&at, &price}, "SELECT timestamp, close FROM "+bars.SQL+" ORDER BY timestamp")
//	rows, err := db.WriteColumns(ctx, out.Path("data.parquet"), duck.Series{"timestamp", at}, duck.Series{"close", price})
//
// Conventions that all stages share: a moment is a TIMESTAMP without zone that means UTC (columns with a zone are
// converted when a Table is made); a missing number is NaN in Go and NULL in a file, and NaN is never written; Parquet
// is compressed with Zstandard. One thread is the default, because sums of floating-point numbers depend on the order of
// addition and that on the number of threads.
//
// Errors are short sentences with the base name of a file, the place in it, and what to do. Paths of directories never
// stand in them. The package refuses to know about stages, artifacts and what a column means.
package duck
