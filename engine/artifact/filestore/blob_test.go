package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// TestEditThroughLink edits a materialised file in place, which edits the blob too where both are one file.
func TestEditThroughLink(t *testing.T) {
	s := newStore(t)
	files := map[string]string{"x": "0123456789"}
	a := commit(t, s, files)
	f, dst := a.Files[0], filepath.Join(filepath.Dir(s.dir), "out", "x")
	if err := s.Materialize(t.Context(), f, dst); err != nil {
		t.Fatal(err)
	}
	shared := s.linked(f, dst)
	if same, err := s.Same(t.Context(), f, dst); err != nil || !same {
		t.Errorf("same %v, %v", same, err)
	}
	edit(t, dst, "edited")
	if same, err := s.Same(t.Context(), f, dst); err != nil || same {
		t.Errorf("same %v, %v", same, err)
	}
	_, err := s.Get(t.Context(), a.Digest())
	if !shared {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var corrupt *artifact.CorruptError
	if !errors.Is(err, artifact.ErrNotFound) || !errors.As(err, &corrupt) || filepath.Dir(corrupt.Path) != filepath.Join(s.root, damaged) {
		t.Fatalf("error %v", err)
	}
	if read(t, corrupt.Path) != "edited6789" || read(t, dst) != "edited6789" {
		t.Error("what was edited is lost")
	}
	commit(t, s, files)
	if err := s.Materialize(t.Context(), f, dst); err != nil || read(t, dst) != "0123456789" {
		t.Errorf("%q, %v", read(t, dst), err)
	}
}

// TestStamp changes the time of a blob and not its content.
func TestStamp(t *testing.T) {
	s := newStore(t)
	a := commit(t, s, map[string]string{"x": "1"})
	path := blobPath(s.dir, a.Files[0].Digest)
	for _, use := range []func() error{
		func() error { _, err := s.Get(t.Context(), a.Digest()); return err },
		func() error { return s.Materialize(t.Context(), a.Files[0], filepath.Join(t.TempDir(), "x")) },
	} {
		if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := use(); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Lstat(path); err != nil || !sealed(fi, 1) {
			t.Errorf("the stamp is %v", fi.ModTime())
		}
	}
}

// TestNoRegularBlob puts something else where a blob was.
func TestNoRegularBlob(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink("/etc/hostname", path) },
		"directory": func(path string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) },
	} {
		s := newStore(t)
		files := map[string]string{"x": "1"}
		a := commit(t, s, files)
		path := blobPath(s.dir, a.Files[0].Digest)
		if err := errors.Join(os.Remove(path), replace(path)); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) != 1 {
			t.Errorf("%s: Verify: %v, %v", name, r.Problems, err)
		}
		if _, err := s.Get(t.Context(), a.Digest()); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("%s: error %v", name, err)
		}
		commit(t, s, files)
		if _, err := s.Get(t.Context(), a.Digest()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFurtherNames stores a file that has another name outside: that one must stay what it is, a file of the user.
func TestFurtherNames(t *testing.T) {
	s := newStore(t)
	own := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(own, []byte("user's"), 0o640); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Link(own, filepath.Join(dir, "x")); err != nil {
		t.Skip(err)
	}
	a, err := s.Commit(t.Context(), dir, artifact.Info{})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(own); err != nil || fi.Mode().Perm() != 0o640 || fi.ModTime().Year() == 2000 {
		t.Errorf("the user's file became %v %v", fi.Mode(), fi.ModTime())
	}
	if err := os.WriteFile(own, []byte("edited"), 0o640); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v, %v", r.Problems, err)
	}
	if _, err := s.Get(t.Context(), a.Digest()); err != nil {
		t.Error(err)
	}
}

// TestInputPassedOn stores an output that is a hard link to a blob, as a stage makes that hands on its input.
func TestInputPassedOn(t *testing.T) {
	s := newStore(t)
	a := commit(t, s, map[string]string{"x": "1"})
	dir := filepath.Join(filepath.Dir(s.dir), "out")
	if err := s.Materialize(t.Context(), a.Files[0], filepath.Join(dir, "y")); err != nil {
		t.Fatal(err)
	}
	b, err := s.Commit(t.Context(), dir, artifact.Info{})
	if err != nil || b.Files[0].Digest != a.Files[0].Digest {
		t.Fatalf("%v, %v", b, err)
	}
	for _, id := range []digest.Digest{a.Digest(), b.Digest()} {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestStillWritten stores a file that a process keeps writing to.
func TestStillWritten(t *testing.T) {
	s := newStore(t)
	dir := output(t, map[string]string{"x": strings.Repeat("x", 64<<20)})
	f, err := os.OpenFile(filepath.Join(dir, "x"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = f.WriteAt([]byte("y"), 0)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	_, err = s.Commit(t.Context(), dir, artifact.Info{})
	close(stop)
	<-stopped
	if err == nil || !strings.Contains(err.Error(), "still being written to") {
		t.Errorf("error %v", err)
	}
	if list := entries(t, s, temporary); len(list) > 0 {
		t.Errorf("tmp has %v", list)
	}
}

// TestManifest damages manifests and has them say what they must not say.
func TestManifest(t *testing.T) {
	s := newStore(t)
	files := map[string]string{"x": "1"}
	a := commit(t, s, files)
	path := s.path(manifests, a.Digest())
	edit(t, path, "?")
	if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) != 1 {
		t.Errorf("%v, %v", r.Problems, err)
	}
	_, err := s.Get(t.Context(), a.Digest())
	var corrupt *artifact.CorruptError
	if !errors.Is(err, artifact.ErrNotFound) || !errors.As(err, &corrupt) {
		t.Errorf("error %v", err)
	}
	commit(t, s, files)
	if _, err := s.Get(t.Context(), a.Digest()); err != nil {
		t.Error(err)
	}
	file := `"digest":"` + string(a.Files[0].Digest) + `","size":1}`
	for what, raw := range map[string]string{
		"outside":      `{"files":[{"path":"../x",` + file + `]}`,
		"absolute":     `{"files":[{"path":"/x",` + file + `]}`,
		"not clean":    `{"files":[{"path":"a//x",` + file + `]}`,
		"no digest":    `{"files":[{"path":"x","digest":"sha256:../../x","size":1}]}`,
		"twice":        `{"files":[{"path":"x",` + file + `,{"path":"x",` + file + `]}`,
		"out of order": `{"files":[{"path":"y",` + file + `,{"path":"x",` + file + `]}`,
		"other size":   `{"files":[{"path":"x",` + strings.Replace(file, "1}", "2}", 1) + `]}`,
		"no JSON":      `nonsense`,
	} {
		id := digest.Bytes([]byte(raw))
		if err := s.write([]byte(raw), s.path(manifests, id)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), id); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) != 8 {
		t.Errorf("%d problems, want 8: %v, %v", len(r.Problems), r.Problems, err)
	}
}

// TestCacheEntries gives the cache malformed entries: each is a miss with a reason.
func TestCacheEntries(t *testing.T) {
	s := newStore(t)
	a := commit(t, s, map[string]string{"x": "1"})
	key := digest.JSON("key")
	for raw, reason := range map[string]string{
		"":                    "malformed",
		"nonsense":            "malformed",
		`{"fingerprint":"x"}`: "another fingerprint",
		`{"fingerprint":"` + string(key) + `","artifact":"sha256:../x"}`:                    "names no artifact",
		`{"fingerprint":"` + string(key) + `","artifact":"` + string(digest.JSON(0)) + `"}`: "artifact",
	} {
		if err := s.write([]byte(raw), s.path(cache, key)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lookup(t.Context(), key); !errors.Is(err, artifact.ErrNotFound) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: error %v, want one with %q", raw, err, reason)
		}
		if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) != 1 {
			t.Errorf("%s: %v, %v", raw, r.Problems, err)
		}
	}
	if err := s.Remember(t.Context(), key, a.Digest()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup(t.Context(), key); err != nil {
		t.Error(err)
	}
}
