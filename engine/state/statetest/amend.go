package statetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/addr"
	"pipe/engine/state"
)

// testAmend writes what changed, and reads the whole after every write, also after the lease ended without a Write.
func testAmend(t *testing.T, b Backend) {
	s, location := b.open(t)
	l := acquire(t, s)
	to, ok := l.(state.Amender)
	if !ok {
		t.Skip("the lease writes whole snapshots only")
	}
	snap := Sample(3)
	if err := to.Amend(t.Context(), snap, &state.Delta{}); !errors.Is(err, state.ErrWhole) {
		t.Fatalf("nothing is there to amend: %v", err)
	}
	write(t, l, snap)
	for i := range 4 {
		snap.LastRun = &state.Run{ID: fmt.Sprint(i)}
		amend(t, to, snap, amendment(snap, i))
		if diff := cmp.Diff(snap, read(t, b.reopen(t, location))); diff != "" {
			t.Fatal(diff)
		}
	}
	older := *snap
	older.Serial--
	if err := to.Amend(t.Context(), &older, &state.Delta{}); !errors.Is(err, state.ErrWhole) && !errors.Is(err, state.ErrStale) {
		t.Errorf("an older snapshot was amended: %v", err)
	}
	release(t, l)
	if diff := cmp.Diff(snap, read(t, s)); diff != "" {
		t.Fatal(diff)
	}
	if err := to.Amend(t.Context(), snap, &state.Delta{}); err == nil {
		t.Error("a lease that was given back wrote")
	}
	l = acquire(t, s)
	write(t, l, snap)
	amend(t, l.(state.Amender), snap, amendment(snap, 9))
	write(t, l, snap)
	if diff := cmp.Diff(snap, read(t, s)); diff != "" {
		t.Fatal(diff)
	}
	release(t, l)
}

// amendment changes, adds and removes an entry and a failure of snap.
func amendment(snap *state.Snapshot, i int) *state.Delta {
	like := func(a addr.Addr) *state.Entry {
		for _, e := range snap.Entries {
			next := *e
			next.Address, next.Bytes = a, int64(1000+i)
			return &next
		}
		return &state.Entry{Address: a}
	}
	a, old, gone := addr.New(addr.Stage, fmt.Sprint("added", i)), addr.New(addr.Stage, fmt.Sprint("added", i-1)), addr.New(addr.Stage, fmt.Sprint("added", i-2))
	d := &state.Delta{Entries: map[addr.Addr]*state.Entry{a: like(a), old: like(old), gone: nil},
		Failures: map[addr.Addr]*state.Failure{a: {Address: a, Error: fmt.Sprint(i)}, old: nil}}
	d.Apply(snap)
	return d
}

func amend(t *testing.T, to state.Amender, snap *state.Snapshot, d *state.Delta) {
	t.Helper()
	before := snap.Serial
	if err := to.Amend(t.Context(), snap, d); err != nil {
		t.Fatal(err)
	}
	if snap.Serial != before+1 {
		t.Fatalf("serial %d after %d", snap.Serial, before)
	}
}
