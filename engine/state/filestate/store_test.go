package filestate

import (
	"os"
	"testing"

	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

func openTest(location string) (state.Store, error) {
	return Open(location, statetest.Pipeline, statetest.Environment)
}

func TestMain(m *testing.M) { os.Exit(statetest.Main(m, openTest)) }

func TestSuite(t *testing.T) {
	statetest.Run(t, statetest.Backend{New: func(t *testing.T) string { return t.TempDir() }, Open: openTest})
}
