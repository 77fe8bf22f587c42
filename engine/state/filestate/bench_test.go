package filestate

import (
	"fmt"
	"testing"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/engine/state"
	"pipe/engine/state/statetest"

	"context"
)

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _, _ := written(b, n)
			b.ResetTimer()
			for b.Loop() {
				snap, err := s.Read(b.Context())
				if err != nil || len(snap.Entries) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, l, snap := written(b, n)
			b.ResetTimer()
			for b.Loop() {
				if err := l.Write(b.Context(), snap); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	snap := statetest.Sample(1000)
	raw, err := Encode(snap)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Encode(snap); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJournalDo(b *testing.B) {
	_, l, _ := written(b, 1)
	j, i := l.Journal(addr.New(addr.Publish, "a")), 0
	for b.Loop() {
		i++
		_, err := j.Do(b.Context(), fmt.Sprint(i), i, func(context.Context, stage.Attempt) (any, error) { return i, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	s, l, _ := written(b, 10)
	if err := l.Release(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := s.Acquire(b.Context(), state.Holder{}, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Release(); err != nil {
			b.Fatal(err)
		}
	}
}

func written(b *testing.B, n int) (*Store, state.Lease, *state.Snapshot) {
	b.Helper()
	s, err := Open(b.TempDir(), statetest.Pipeline, statetest.Environment)
	if err != nil {
		b.Fatal(err)
	}
	l, err := s.Acquire(b.Context(), state.Holder{}, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Release() })
	snap := statetest.Sample(n)
	if err := l.Write(b.Context(), snap); err != nil {
		b.Fatal(err)
	}
	return s, l, snap
}
