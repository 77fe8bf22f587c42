// Package e2e holds the tests of the built program on the plans, configurations and samples that users start from, with
// real servers and with processes that are really killed. It has no code of its own.
package e2e
