// Package glob finds the files that paths and patterns of a plan file name, and digests them while copying. It refuses to
// know what is in them.
package glob
