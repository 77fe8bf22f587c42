package artifacttest

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	cases := []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"CommitGet", testCommitGet}, {"Identity", testIdentity}, {"Refused", testRefused},
		{"EmptyArtifact", testEmpty}, {"NotFound", testNotFound}, {"Materialize", testMaterialize},
		{"Cache", testCache}, {"Damage", testDamage}, {"Lost", testLost}, {"Same", testSame},
		{"Writers", testWriters}, {"Sweep", testSweep}, {"SweepWhileWriting", testSweepWhileWriting},
		{"Verify", testVerify}, {"Cancelled", testCancelled}, {"Kill", testKill},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, b) })
	}
}

func (b Backend) open(t *testing.T) (artifact.Store, string) {
	t.Helper()
	location := b.New(t)
	return b.reopen(t, location), location
}

func (b Backend) reopen(t *testing.T, location string) artifact.Store {
	t.Helper()
	s, err := b.Open(location)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t *testing.T, s artifact.Store, files map[string]string, info artifact.Info) *artifact.Artifact {
	t.Helper()
	dir := t.TempDir()
	if err := writeFiles(dir, files); err != nil {
		t.Fatal(err)
	}
	a, err := s.Commit(t.Context(), dir, info)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// content reads a whole artifact back through Materialize.
func content(t *testing.T, s artifact.Store, a *artifact.Artifact) map[string]string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	for _, f := range a.Files {
		dst := filepath.Join(dir, "some", "where", filepath.FromSlash(f.Path))
		if err := s.Materialize(t.Context(), f, dst); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Path] = string(raw)
	}
	return files
}

func testCommitGet(t *testing.T, b Backend) {
	s, location := b.open(t)
	files := map[string]string{"b.json": "[1,2]", "a/x.csv": "p,q\n1,2\n", "a.txt": "", "ü/ñ.txt": "§", "same": "[1,2]"}
	info := artifact.Info{Main: "a/x.csv", Rows: 1, Metrics: map[string]float64{"sharpe": 1.25, "n": 3},
		Facts: map[string]string{"version": "a<b>&c"}}
	a := commit(t, s, files, info)
	var paths []string
	for _, f := range a.Files {
		paths = append(paths, f.Path)
		if want := digest.Bytes([]byte(files[f.Path])); f.Digest != want || f.Size != int64(len(files[f.Path])) {
			t.Errorf("%s: %s with %d bytes, want %s with %d", f.Path, f.Digest, f.Size, want, len(files[f.Path]))
		}
	}
	if want := []string{"a.txt", "a/x.csv", "b.json", "same", "ü/ñ.txt"}; !cmp.Equal(paths, want) {
		t.Errorf("files %q, want %q", paths, want)
	}
	for _, st := range []artifact.Store{s, b.reopen(t, location)} {
		got, err := st.Get(t.Context(), a.Digest())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, got); diff != "" || got.Digest() != a.Digest() {
			t.Errorf("Get differs from Commit: %s", diff)
		}
		if diff := cmp.Diff(info, got.Info); diff != "" {
			t.Errorf("info: %s", diff)
		}
		if diff := cmp.Diff(files, content(t, st, got)); diff != "" {
			t.Errorf("content: %s", diff)
		}
	}
}

func testIdentity(t *testing.T, b Backend) {
	files := map[string]string{"x": "1", "y/z": "2"}
	info := artifact.Info{Metrics: map[string]float64{"m": 1, "a": 2}}
	s1, _ := b.open(t)
	s2, _ := b.open(t)
	a := commit(t, s1, files, info)
	for what, other := range map[string]*artifact.Artifact{
		"the same store": commit(t, s1, files, info), "another store": commit(t, s2, files, info)} {
		if a.Digest() != other.Digest() {
			t.Errorf("equal output has another digest in %s", what)
		}
	}
	for what, other := range map[string]*artifact.Artifact{
		"content": commit(t, s1, map[string]string{"x": "1", "y/z": "3"}, info),
		"name":    commit(t, s1, map[string]string{"x": "1", "y_z": "2"}, info),
		"metric":  commit(t, s1, files, artifact.Info{Metrics: map[string]float64{"m": 1, "a": 3}}),
		"fact":    commit(t, s1, files, artifact.Info{Metrics: info.Metrics, Facts: map[string]string{"f": "1"}}),
	} {
		if a.Digest() == other.Digest() {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

func testRefused(t *testing.T, b Backend) {
	s, _ := b.open(t)
	for name, c := range map[string]struct {
		prepare func(dir string) error
		info    artifact.Info
		want    string
	}{
		"link":       {func(dir string) error { return os.Symlink("/etc/hostname", filepath.Join(dir, "l")) }, artifact.Info{}, "symbolic link"},
		"directory":  {func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, "l")) }, artifact.Info{}, "symbolic link"},
		"name":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a\xff"), nil, 0o644) }, artifact.Info{}, "cannot be stored"},
		"newline":    {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a\nb"), nil, 0o644) }, artifact.Info{}, "cannot be stored"},
		"main":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), nil, 0o644) }, artifact.Info{Main: "b"}, `no file "b"`},
		"not finite": {func(dir string) error { return nil }, artifact.Info{Metrics: map[string]float64{"m": math.NaN()}}, "cannot be stored"},
		"no output":  {func(dir string) error { return os.Remove(dir) }, artifact.Info{}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.prepare(dir); err != nil {
				t.Skip(err)
			}
			_, err := s.Commit(t.Context(), dir, c.info)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func testEmpty(t *testing.T, b Backend) {
	s, _ := b.open(t)
	a := commit(t, s, nil, artifact.Info{Facts: map[string]string{"row": "7"}})
	got, err := s.Get(t.Context(), a.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 0 || got.Facts["row"] != "7" || got.Digest() != a.Digest() {
		t.Errorf("got %+v", got)
	}
}

func testNotFound(t *testing.T, b Backend) {
	s, _ := b.open(t)
	none := digest.Bytes([]byte("never stored"))
	_, err := s.Get(t.Context(), none)
	wantNotFound(t, "Get", err)
	_, err = s.Lookup(t.Context(), none)
	wantNotFound(t, "Lookup", err)
	dst := filepath.Join(t.TempDir(), "x")
	wantNotFound(t, "Materialize", s.Materialize(t.Context(), artifact.File{Path: "x", Digest: none, Size: 12}, dst))
	if _, err := os.Lstat(dst); err == nil {
		t.Error("Materialize left a file")
	}
	for _, bad := range []digest.Digest{"", "sha256:../../../etc/passwd", "sha256:12", "md5:00"} {
		if _, err := s.Get(t.Context(), bad); err == nil {
			t.Errorf("Get(%q) gave no error", bad)
		}
		if err := s.Remember(t.Context(), none, bad); err == nil {
			t.Errorf("Remember(%q) gave no error", bad)
		}
		if err := s.Materialize(t.Context(), artifact.File{Digest: bad}, dst); err == nil {
			t.Errorf("Materialize(%q) gave no error", bad)
		}
	}
}

func wantNotFound(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("%s: error %v, want ErrNotFound", what, err)
	}
}

func testCache(t *testing.T, b Backend) {
	s, location := b.open(t)
	a := commit(t, s, map[string]string{"x": "1"}, artifact.Info{})
	other := commit(t, s, map[string]string{"x": "2"}, artifact.Info{})
	key := digest.Bytes([]byte("key"))
	for _, want := range []*artifact.Artifact{a, other, other, a} {
		if err := s.Remember(t.Context(), key, want.Digest()); err != nil {
			t.Fatal(err)
		}
		got, err := b.reopen(t, location).Lookup(t.Context(), key)
		if err != nil || got.Digest() != want.Digest() {
			t.Errorf("Lookup gave %v, %v", got, err)
		}
	}
	if err := s.Remember(t.Context(), key, digest.Bytes([]byte("gone"))); err != nil {
		t.Fatal(err)
	}
	_, err := s.Lookup(t.Context(), key)
	wantNotFound(t, "Lookup of an artifact that is not there", err)
}

func testCancelled(t *testing.T, b Backend) {
	s, _ := b.open(t)
	a := commit(t, s, map[string]string{"x": "1"}, artifact.Info{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := writeFiles(dir, map[string]string{"y": "2"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(ctx, dir, artifact.Info{})
	_, err2 := s.Get(ctx, a.Digest())
	err3 := s.Materialize(ctx, a.Files[0], filepath.Join(t.TempDir(), "x"))
	for what, err := range map[string]error{"Commit": err, "Get": err2, "Materialize": err3} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s after cancel: %v", what, err)
		}
	}
}
