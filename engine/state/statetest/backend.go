package statetest

import (
	"testing"
	"time"

	"pipe/engine/addr"
	"pipe/engine/state"
)

// Pipeline and Environment are what the suite keeps the state of.
const (
	Pipeline    = "sample"
	Environment = "test"
)

// Backend is a kind of store under test.
type Backend struct {
	// New returns the location of a new, empty state that lives as long as the test.
	New func(t *testing.T) string
	// Open opens the state of Pipeline in Environment at a location, also in another process.
	Open func(location string) (state.Store, error)
}

// patience is how long the suite waits for what must come.
const patience = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	cases := []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"Empty", testEmpty}, {"RoundTrip", testRoundTrip}, {"Stale", testStale}, {"OtherPipeline", testOtherPipeline},
		{"History", testHistory}, {"Amend", testAmend}, {"Force", testForce}, {"Audit", testAudit},
		{"Locked", testLocked}, {"WaitForLock", testWait}, {"KilledHolder", testKilledHolder}, {"Released", testReleased},
		{"BrokenLock", testBrokenLock}, {"PausedHolder", testPausedHolder}, {"LostUpdates", testLostUpdates},
		{"Journal", testJournal}, {"JournalOnce", testJournalOnce}, {"JournalFails", testJournalFails},
		{"JournalMove", testJournalMove}, {"JournalCrash", testJournalCrash}, {"Outbox", testOutbox},
		{"KilledWriter", testKilledWriter},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, b) })
	}
}

func (b Backend) open(t *testing.T) (state.Store, string) {
	t.Helper()
	location := b.New(t)
	return b.reopen(t, location), location
}

func (b Backend) reopen(t *testing.T, location string) state.Store {
	t.Helper()
	s, err := b.Open(location)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var me = state.Holder{Name: "tester", Operation: "apply"}

func acquire(t *testing.T, s state.Store) state.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), me, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func release(t *testing.T, l state.Lease) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s state.Store) *state.Snapshot {
	t.Helper()
	snap, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func write(t *testing.T, l state.Lease, s *state.Snapshot) {
	t.Helper()
	if err := l.Write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func node(name string) addr.Addr { return addr.New(addr.Publish, name) }
