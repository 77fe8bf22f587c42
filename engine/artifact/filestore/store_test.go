package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/artifact/artifacttest"
	"pipe/engine/digest"
)

const childEnv = "PIPE_FILESTORE_CHILD" // location, directory and the fault point at which to die

func open(location string) (artifact.Store, error) { return Open(location) }

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		var location, dir, point string
		if n, err := fmt.Sscan(spec, &location, &dir, &point); n != 3 {
			fmt.Println(err)
			os.Exit(1)
		}
		s, err := Open(location, WithFaults(func(p string) {
			if p == point {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}))
		if err == nil {
			_, err = s.Commit(context.Background(), dir, artifact.Info{})
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(artifacttest.Main(m, open))
}

func blobPath(location string, d digest.Digest) string {
	return filepath.Join(location, "v1", "blobs", d.Hex()[:2], d.Hex())
}

func TestSuite(t *testing.T) {
	artifacttest.Run(t, artifacttest.Backend{
		New:  func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") },
		Open: open,
		Damage: func(t *testing.T, location string, d digest.Digest) {
			edit(t, blobPath(location, d), "#")
		},
		Lose: func(t *testing.T, location string, d digest.Digest) {
			if err := os.Remove(blobPath(location, d)); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// edit writes to the start of a file in place.
func edit(t *testing.T, path, text string) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func newStore(t testing.TB, options ...Option) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// output writes files to a new directory.
func output(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func commit(t testing.TB, s *Store, files map[string]string) *artifact.Artifact {
	t.Helper()
	a, err := s.Commit(t.Context(), output(t, files), artifact.Info{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// entries lists what is in a directory of the store.
func entries(t testing.TB, s *Store, kind string) []string {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.root, kind))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// TestKnownDigest pins the identity of an artifact for ever.
func TestKnownDigest(t *testing.T) {
	s := newStore(t)
	dir := output(t, map[string]string{"b.csv": "a,b\n1,2\n", "a/x": ""})
	a, err := s.Commit(t.Context(), dir, artifact.Info{Main: "b.csv", Rows: 1, Metrics: map[string]float64{"z": 0.1, "a": 1e21},
		Facts: map[string]string{"k": "<v>"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"files":[{"path":"a/x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},` +
		`{"path":"b.csv","digest":"` + string(digest.Bytes([]byte("a,b\n1,2\n"))) + `","size":8}],` +
		`"main":"b.csv","rows":1,"metrics":{"a":1e+21,"z":0.1},"facts":{"k":"<v>"}}`
	if got := digest.Bytes([]byte(want)); a.Digest() != got {
		t.Errorf("digest %s, want %s", a.Digest(), got)
	}
	if got := read(t, s.path(manifests, a.Digest())); got != want {
		t.Errorf("manifest %s", got)
	}
}

// TestLayout checks permissions and stamps, and that opening and reading leave no trace.
func TestLayout(t *testing.T) {
	s := newStore(t)
	if _, err := s.Lookup(t.Context(), digest.JSON(1)); !errors.Is(err, artifact.ErrNotFound) {
		t.Error(err)
	}
	if r, err := s.Sweep(t.Context(), nil, artifact.Remove); err != nil || r.Files != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := s.Verify(t.Context()); err != nil || r.Files != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("the store was made without a write")
	}
	a := commit(t, s, map[string]string{"x": "content"})
	if err := s.Remember(t.Context(), digest.JSON(1), a.Digest()); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o444)
		switch {
		case d.IsDir():
			want = 0o700
		case d.Name() == "lock":
			want = 0o600
		}
		if fi.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, fi.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(blobPath(s.dir, a.Files[0].Digest)); err != nil || fi.ModTime().UTC().String() != "2000-01-01 00:00:00 +0000 UTC" {
		t.Errorf("%v, %v", fi.ModTime(), err)
	}
	if list := entries(t, s, temporary); len(list) != 0 {
		t.Errorf("tmp has %v", list)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "is no directory") {
		t.Errorf("a file was opened as a store: %v", err)
	}
}
