// Package diag makes diagnostics: hcl.Diagnostic values with a stable code, for people and for --json, and suggestions
// for misspelled names. A summary is fixed words without user data; a detail is full sentences: what, why, what to do.
// The package never prints.
package diag
