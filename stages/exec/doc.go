// Package exec is the stage type "exec": a program of the user's, run in an empty directory with the inputs, declared files
// and environment that the plan file names, and nothing else. It refuses to know what the program does.
package exec
