// Package input is the type of input blocks: one file or several, taken into the store as a table.
//
// What an input is keyed by is the content of its files, in the order of their paths; names and times are not looked at.
// The package refuses to know what the columns mean.
package input
