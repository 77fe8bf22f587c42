package artifacttest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

func testMaterialize(t *testing.T, b Backend) {
	s, _ := b.open(t)
	a := commit(t, s, map[string]string{"x": "new"}, artifact.Info{})
	f, dir := a.Files[0], t.TempDir()
	dst := filepath.Join(dir, "p", "q", "x.json")
	for _, before := range []func() error{
		func() error { return nil }, // parents are missing
		func() error { return nil }, // it is there already
		func() error { return os.Remove(dst) },
		func() error { return errors.Join(os.Remove(dst), os.WriteFile(dst, []byte("older and longer"), 0o600)) },
		func() error { return errors.Join(os.Remove(dst), os.Symlink("/etc/hostname", dst)) },
	} {
		if err := before(); err != nil {
			t.Fatal(err)
		}
		if err := s.Materialize(t.Context(), f, dst); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(dst)
		fi, err2 := os.Lstat(dst)
		if err != nil || err2 != nil || string(raw) != "new" || !fi.Mode().IsRegular() || fi.Mode().Perm()&0o222 != 0 {
			t.Fatalf("%q, %v, %v, %v", raw, fi.Mode(), err, err2)
		}
		if list, _ := os.ReadDir(filepath.Dir(dst)); len(list) != 1 {
			t.Errorf("besides the file there is more: %v", list)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "d", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Materialize(t.Context(), f, filepath.Join(dir, "d")); err == nil {
		t.Error("a directory was replaced")
	}
}

func testDamage(t *testing.T, b Backend) {
	files := map[string]string{"x": "content that will be damaged", "y": "whole"}
	for name, read := range map[string]func(*testing.T, artifact.Store, *artifact.Artifact) error{
		"Get": func(t *testing.T, s artifact.Store, a *artifact.Artifact) error {
			_, err := s.Get(t.Context(), a.Digest())
			return err
		},
		"Lookup": func(t *testing.T, s artifact.Store, a *artifact.Artifact) error {
			key := digest.Bytes([]byte("key"))
			if err := s.Remember(t.Context(), key, a.Digest()); err != nil {
				t.Fatal(err)
			}
			_, err := s.Lookup(t.Context(), key)
			return err
		},
		"Materialize": func(t *testing.T, s artifact.Store, a *artifact.Artifact) error {
			dst := filepath.Join(t.TempDir(), "x")
			err := s.Materialize(t.Context(), a.Files[0], dst)
			if _, serr := os.Lstat(dst); serr == nil {
				t.Error("damaged content was materialised")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, location := b.open(t)
			a := commit(t, s, files, artifact.Info{Main: "x"})
			b.Damage(t, location, a.Files[0].Digest)
			err := read(t, s, a)
			var corrupt *artifact.CorruptError
			if !errors.Is(err, artifact.ErrNotFound) || !errors.As(err, &corrupt) {
				t.Fatalf("error %v, want ErrNotFound and a CorruptError", err)
			}
			if corrupt.Want != a.Files[0].Digest || corrupt.Got == corrupt.Want || corrupt.Path == "" {
				t.Errorf("%+v", corrupt)
			}
			_, err = s.Get(t.Context(), a.Digest())
			wantNotFound(t, "Get afterwards", err)
			if again := commit(t, s, files, artifact.Info{Main: "x"}); again.Digest() != a.Digest() {
				t.Error("the artifact stored anew has another digest")
			}
			got, err := s.Get(t.Context(), a.Digest())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(files, content(t, s, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func testLost(t *testing.T, b Backend) {
	s, location := b.open(t)
	files := map[string]string{"x": "content that will be lost"}
	a := commit(t, s, files, artifact.Info{})
	b.Lose(t, location, a.Files[0].Digest)
	_, err := s.Get(t.Context(), a.Digest())
	wantNotFound(t, "Get", err)
	commit(t, s, files, artifact.Info{})
	if _, err := s.Get(t.Context(), a.Digest()); err != nil {
		t.Errorf("stored anew: %v", err)
	}
}

func testSame(t *testing.T, b Backend) {
	s, _ := b.open(t)
	c, ok := s.(artifact.Comparer)
	if !ok {
		t.Skip("the store compares nothing")
	}
	a := commit(t, s, map[string]string{"x": "0123456789"}, artifact.Info{})
	f, dst := a.Files[0], filepath.Join(t.TempDir(), "x")
	write := func(content string) func() error {
		return func() error { return errors.Join(os.RemoveAll(dst), os.WriteFile(dst, []byte(content), 0o600)) }
	}
	for i, step := range []struct {
		prepare func() error
		want    bool
	}{
		{func() error { return nil }, false},
		{func() error { return s.Materialize(t.Context(), f, dst) }, true},
		{write("0123456789"), true},
		{write("0123456780"), false},
		{write("012345678"), false},
		{func() error { return errors.Join(os.Remove(dst), os.Mkdir(dst, 0o755)) }, false},
		{func() error { return errors.Join(os.Remove(dst), os.Symlink("/etc/hostname", dst)) }, false},
		{func() error { return s.Materialize(t.Context(), f, dst) }, true},
		{func() error { return overwrite(dst, "x") }, false},
	} {
		if err := step.prepare(); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Same(t.Context(), f, dst); err != nil || got != step.want {
			t.Errorf("step %d: %v, %v, want %v", i, got, err, step.want)
		}
	}
	if got, err := c.Same(t.Context(), f, filepath.Join(dst, "below", "a", "file")); got || err != nil {
		t.Errorf("below a file: %v, %v", got, err)
	}
}

// overwrite changes the start of a file in place, as an editor of a user with all rights may do.
func overwrite(path, content string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}

func testVerify(t *testing.T, b Backend) {
	s, location := b.open(t)
	k, ok := s.(artifact.Keeper)
	if !ok {
		t.Skip("the store has no upkeep")
	}
	a := commit(t, s, map[string]string{"x": "first", "y": "second"}, artifact.Info{})
	c := commit(t, s, map[string]string{"x": "third"}, artifact.Info{})
	r, err := k.Verify(t.Context())
	if err != nil || len(r.Problems) != 0 || r.Files != 3 || r.Artifacts != 2 || r.Bytes != 16 {
		t.Fatalf("%+v, %v", r, err)
	}
	b.Damage(t, location, a.Files[1].Digest)
	b.Lose(t, location, c.Files[0].Digest)
	r, err = k.Verify(t.Context())
	if err != nil || len(r.Problems) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	var corrupt *artifact.CorruptError
	if all := errors.Join(r.Problems...); !errors.As(all, &corrupt) || corrupt.Want != a.Files[1].Digest ||
		!errors.Is(all, artifact.ErrNotFound) || !strings.Contains(all.Error(), c.Files[0].Digest.Hex()) {
		t.Errorf("problems %v", r.Problems)
	}
}
