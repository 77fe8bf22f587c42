// Package oracletest runs an independent implementation (pandas, scikit-learn, numpy) beside the Go code under test.
//
// Debian's packages python3-pandas and python3-sklearn supply it. A test that can't find them fails and says what to
// install, because an oracle that is skipped in silence checks nothing; PIPE_TEST_NO_ORACLE=1 skips such tests aloud.
// The package is for tests alone.
package oracletest
