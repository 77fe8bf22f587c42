// Package frame holds a table in time: one int64 of Unix seconds a row and named float64 columns beside it.
//
// A missing value is NaN. Columns keep the order in which they were set, so that what is written from a frame has one
// order. The package refuses to know what a column means.
package frame
