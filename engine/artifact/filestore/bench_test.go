package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// many stores n artifacts of two files.
func many(b *testing.B, s *Store, n int) []*artifact.Artifact {
	b.Helper()
	list := make([]*artifact.Artifact, n)
	for i := range list {
		list[i] = commit(b, s, map[string]string{"canonical.json": fmt.Sprint(i), "schema.json": "{}"})
		if err := s.Remember(b.Context(), digest.JSON(i), list[i].Digest()); err != nil {
			b.Fatal(err)
		}
	}
	return list
}

// BenchmarkGet1000 is what a plan of a thousand unchanged nodes asks.
func BenchmarkGet1000(b *testing.B) {
	s := newStore(b)
	list := many(b, s, 1000)
	ids := make([]digest.Digest, len(list))
	for i, a := range list {
		ids[i] = a.Digest()
	}
	for b.Loop() {
		for _, id := range ids {
			if _, err := s.Get(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	s := newStore(b)
	many(b, s, 1)
	for b.Loop() {
		if _, err := s.Lookup(b.Context(), digest.JSON(0)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := newStore(b)
	i := 0
	for b.Loop() {
		i++
		dir := filepath.Join(b.TempDir(), fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), fmt.Append(nil, i), 0o644); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Commit(b.Context(), dir, artifact.Info{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMaterialize(b *testing.B) {
	s := newStore(b)
	a := commit(b, s, map[string]string{"x": "content"})
	dir, i := b.TempDir(), 0
	for b.Loop() {
		i++
		if err := s.Materialize(b.Context(), a.Files[0], filepath.Join(dir, fmt.Sprint(i))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSame(b *testing.B) {
	s := newStore(b)
	a := commit(b, s, map[string]string{"x": "content"})
	dst := filepath.Join(b.TempDir(), "x")
	if err := s.Materialize(b.Context(), a.Files[0], dst); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if same, err := s.Same(b.Context(), a.Files[0], dst); err != nil || !same {
			b.Fatal(err)
		}
	}
}
