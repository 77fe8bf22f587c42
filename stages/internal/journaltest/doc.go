// Package journaltest is for tests of publish types: a journal in a file, an environment to run in, artifacts to
// publish, and crashes at the places where a process may die. A crash is a panic that skips whatever would have come after, and
// a journal opened anew on the same file is the next process.
//
// It refuses to know any publish type.
package journaltest
