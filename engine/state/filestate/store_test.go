package filestate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pipe/engine/addr"
	"pipe/engine/fault"
	"pipe/engine/stage"
	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

const childEnv = "PIPE_FILESTATE_CHILD"

func openTest(location string) (state.Store, error) {
	return Open(location, statetest.Pipeline, statetest.Environment)
}

func TestMain(m *testing.M) {
	if location := os.Getenv(childEnv); location != "" {
		if err := dieAtFault(context.Background(), location); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	os.Exit(statetest.Main(m, openTest))
}

// dieAtFault does an effect and puts a message with the fault of the environment armed.
func dieAtFault(ctx context.Context, location string) error {
	armed, err := fault.Parse(os.Getenv("PIPE_FAULT"))
	if err != nil {
		return err
	}
	s, err := Open(location, statetest.Pipeline, statetest.Environment, WithFaults(armed))
	if err != nil {
		return err
	}
	l, err := s.Acquire(ctx, state.Holder{}, 0)
	if err != nil {
		return err
	}
	_, err = l.Journal(publish).Do(ctx, "row", "intent", func(context.Context, stage.Attempt) (any, error) {
		return "result", os.WriteFile(filepath.Join(location, "effect"), nil, 0o600)
	})
	if err != nil {
		return err
	}
	return l.Outbox().Put(ctx, "message", []byte(`1`))
}

var publish = addr.New(addr.Publish, "core")

func TestSuite(t *testing.T) {
	statetest.Run(t, statetest.Backend{New: func(t *testing.T) string { return t.TempDir() }, Open: openTest})
}

// store opens a new state and takes its lease.
func store(t *testing.T) (*Store, *lease) {
	t.Helper()
	s, err := Open(t.TempDir(), statetest.Pipeline, statetest.Environment)
	if err != nil {
		t.Fatal(err)
	}
	return s, take(t, s)
}

func take(t *testing.T, s *Store) *lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), state.Holder{Name: "tester"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l.(*lease)
}

func (l *lease) give(t *testing.T) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

func (l *lease) put(t *testing.T, s *state.Snapshot) {
	t.Helper()
	if err := l.Write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func writeFileAt(t *testing.T, path string, raw []byte) {
	t.Helper()
	_ = os.Remove(path)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
