// Package audit is the hash-chained log of what was done to a pipeline: one record a line, each with the hash of the one
// before it, so that a record that was changed, taken out, added or moved is found and named. A log that was rewritten
// from some record to its end is whole in itself; it is found by the head that is kept elsewhere, in the state. The
// package refuses to know where the lines are kept and what the actions mean.
package audit
