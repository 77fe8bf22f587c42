// Package rolling computes trailing-window statistics of price series.
//
// Every function maps a slice to a slice of the same length, and element t of the result reads elements 0..t of its
// arguments and nothing later: that is the obligation which the causality of every feature rests on. Windowed
// statistics are computed afresh for each window in two passes, not updated from the last one, so that a value
// depends on the values in its window alone (no drift, and the same bits whatever came before the window).
//
// A value that is not defined (a window that is not full yet, holds a missing value or has no spread) is NaN.
//
// The package refuses to know bars, legs, labels and models.
package rolling
