// Package config parses and decodes plan files into a Pipeline. All errors of the phase are collected as diagnostics
// that point into the source. It reads plan files, expectation suites and what configuration functions name; it refuses
// to know about state, stores and runs. No value in a plan file depends on the result of a run.
package config
