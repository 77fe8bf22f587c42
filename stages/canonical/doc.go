// Package canonical is the stage type "canonical": price bars of any source, brought into one form.
//
// A canonical table has one row for each bar that the market's calendar expects: stamps in UTC, ascending, on the grid of
// the timeframe; prices scaled and rounded; short gaps filled and flagged; bad ticks taken out. What a source may vary
// without meaning anything (the order of rows, spacing, repeated rows, its name) leaves no trace in the output, so that
// nothing below runs again for it.
//
// The steps are: read (read.go), stamps to UTC (zone.go), sort and drop what is repeated (rows.go), find bad ticks
// (outlier.go), find and fill gaps against the calendar (gaps.go, calendar.go), judge and write (verdict.go, write.go).
// The package refuses to know about features, labels and partitions' places.
package canonical
