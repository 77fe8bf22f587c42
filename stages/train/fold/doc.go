// Package fold cuts a time series into training and validation rows without letting one see the other.
//
// Rows stand in the order of time. A row's label is decided between its own time and the label's end; a training row
// whose span overlaps the span of the validation rows is purged. In addition the `purge` rows before a validation
// block are left out, and so are the `embargo` rows after the last moment that the block's labels read.
//
// Walk-forward trains on everything before each validation block. (No training row follows a block, so embargo has
// nothing to do there.) K-fold trains on both sides of each block.
//
// The package refuses to know what is trained.
package fold
