// Package view shows plans, runs, states, graphs and diagnostics: as text for people, as JSON lines for programs. It
// only renders: it refuses to decide, to read files, to know commands and to look at the clock of records. What it
// prints is a function of what it is given and of a Style.
//
// Every function takes an io.Writer and writes whole lines. A write that fails is the caller's to notice: writers of
// the command line are buffered and report at Flush.
package view
