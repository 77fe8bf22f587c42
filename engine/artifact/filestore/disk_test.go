package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// mount mounts a file system of its own for the test.
func mount(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("a file system can't be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestOtherFileSystem commits from and materialises to another file system than the store's.
func TestOtherFileSystem(t *testing.T) {
	other := mount(t, "16m")
	s := newStore(t)
	dir := filepath.Join(other, "out")
	content := strings.Repeat("0123456789", 100_000)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "x"), []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	a, err := s.Commit(t.Context(), dir, artifact.Info{})
	if err != nil {
		t.Fatal(err)
	}
	f, dst := a.Files[0], filepath.Join(other, "a", "b", "x")
	// What a killed process left, sealed already or not, is taken over.
	left := filepath.Join(filepath.Dir(dst), ".pipe-"+digest.Bytes([]byte("x")).Short()+".tmp")
	for _, mode := range []os.FileMode{0, 0o600, 0o444} {
		if mode != 0 {
			_ = os.Remove(dst)
			if err := os.WriteFile(left, []byte(content+"and more"), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Materialize(t.Context(), f, dst); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Lstat(dst)
		if err != nil || !sealed(fi, f.Size) || fi.Mode().Perm() != 0o444 || read(t, dst) != content {
			t.Errorf("%v %v, %v", fi.Mode(), fi.ModTime(), err)
		}
		if list, _ := os.ReadDir(filepath.Dir(dst)); len(list) != 1 {
			t.Errorf("besides the file there is %v", list)
		}
	}
	if same, err := s.Same(t.Context(), f, dst); err != nil || !same {
		t.Errorf("same %v, %v", same, err)
	}
	edit(t, dst, "edited")
	if same, err := s.Same(t.Context(), f, dst); err != nil || same {
		t.Errorf("same %v, %v", same, err)
	}
	if _, err := s.Get(t.Context(), a.Digest()); err != nil {
		t.Error(err)
	}
}

// TestManyToOnePlace has many write the same two contents to one path on another file system: each state that a reader
// sees is whole.
func TestManyToOnePlace(t *testing.T) {
	other := mount(t, "32m")
	s := newStore(t)
	a := commit(t, s, map[string]string{"a": strings.Repeat("a", 1<<20), "b": strings.Repeat("b", 1<<20)})
	dst := filepath.Join(other, "x")
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 5 {
				if err := s.Materialize(t.Context(), a.Files[(w+i)%2], dst); err != nil {
					t.Error(err)
				}
				got := digest.Bytes([]byte(read(t, dst)))
				if got != a.Files[0].Digest && got != a.Files[1].Digest {
					t.Error("the file is not whole")
				}
			}
		})
	}
	wg.Wait()
	if list, _ := os.ReadDir(other); len(list) != 1 {
		t.Errorf("besides the file there is %v", list)
	}
}

// TestFullStore fills the disk of the store: nothing is recorded, nothing is left over, and all works when there is
// space again.
func TestFullStore(t *testing.T) {
	dir := mount(t, "1m")
	s, err := Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	before := commit(t, s, map[string]string{"small": "small"})
	files := map[string]string{"x": strings.Repeat("x", 800_000), "y": strings.Repeat("y", 800_000)}
	_, err = s.Commit(t.Context(), output(t, files), artifact.Info{})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the store at "+s.dir+" is full: free space or point store at another disk; nothing was recorded") {
		t.Errorf("error %v", err)
	}
	if list := entries(t, s, temporary); len(list) > 0 {
		t.Errorf("tmp has %v", list)
	}
	if r, err := s.Verify(t.Context()); err != nil || len(r.Problems) > 0 || r.Artifacts != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	dst := filepath.Join(dir, "hog")
	for err = nil; err == nil; {
		err = os.WriteFile(dst, append([]byte(readOr(dst)), make([]byte, 4096)...), 0o600)
	}
	if err := s.Remember(t.Context(), digest.JSON(1), before.Digest()); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("Remember: error %v", err)
	}
	if err := os.Remove(dst); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context(), map[digest.Digest]struct{}{before.Digest(): {}}, artifact.Remove); err != nil {
		t.Fatal(err)
	}
	commit(t, s, map[string]string{"x": files["x"]})
	if _, err := s.Get(t.Context(), before.Digest()); err != nil {
		t.Error(err)
	}
	if err := s.Materialize(t.Context(), artifact.File{Path: "small", Digest: before.Files[0].Digest, Size: 5}, filepath.Join(dir, "small")); err != nil {
		t.Error(err)
	}
}

func readOr(path string) string {
	raw, _ := os.ReadFile(path)
	return string(raw)
}

// TestFullTarget materialises to a disk that is full.
func TestFullTarget(t *testing.T) {
	other := mount(t, "256k")
	s := newStore(t)
	a := commit(t, s, map[string]string{"x": strings.Repeat("x", 1<<20)})
	err := s.Materialize(t.Context(), a.Files[0], filepath.Join(other, "x"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "its disk is full") {
		t.Errorf("error %v", err)
	}
	if list, _ := os.ReadDir(other); len(list) != 0 {
		t.Errorf("left over: %v", list)
	}
}

// TestReadOnly reads from a store on a file system that can't be written to.
func TestReadOnly(t *testing.T) {
	dir := mount(t, "1m")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := commit(t, s, map[string]string{"x": "content"})
	if err := s.Remember(t.Context(), digest.JSON(1), a.Digest()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup(t.Context(), digest.JSON(1)); err != nil {
		t.Error(err)
	}
	dst := filepath.Join(t.TempDir(), "x")
	if err := s.Materialize(t.Context(), a.Files[0], dst); err != nil || read(t, dst) != "content" {
		t.Error(err)
	}
	if r, err := s.Sweep(t.Context(), nil, artifact.Preview); err != nil || r.Artifacts != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err1 := s.Commit(t.Context(), output(t, map[string]string{"y": "2"}), artifact.Info{})
	_, err2 := s.Sweep(t.Context(), nil, artifact.Remove)
	for what, err := range map[string]error{"Commit": err1, "Sweep": err2, "Remember": s.Remember(t.Context(), digest.JSON(2), a.Digest())} {
		if err == nil || !strings.Contains(err.Error(), "cannot be written to") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// TestKilledAtPoints kills a real process at each fault point of Commit.
func TestKilledAtPoints(t *testing.T) {
	for _, point := range []string{"blob-taken", "blob-stored", "manifest-stored"} {
		t.Run(point, func(t *testing.T) {
			location := filepath.Join(t.TempDir(), "store")
			files := map[string]string{"x": "1", "y": "2", "z": "3"}
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", childEnv, location, output(t, files), point))
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != -1 || len(out) > 0 {
				t.Fatalf("the child was not killed: %v, %s", err, out)
			}
			s, err := Open(location)
			if err != nil {
				t.Fatal(err)
			}
			if list := entries(t, s, temporary); len(list) > 0 {
				t.Errorf("tmp has %v", list)
			}
			r, err := s.Verify(t.Context())
			if err != nil || len(r.Problems) > 0 || (r.Artifacts == 1) != (point == "manifest-stored") {
				t.Errorf("%+v, %v", r, err)
			}
			a := commit(t, s, files)
			if _, err := s.Get(t.Context(), a.Digest()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLeftovers clears tmp when nobody writes, and only then.
func TestLeftovers(t *testing.T) {
	s := newStore(t)
	commit(t, s, map[string]string{"x": "1"})
	left := filepath.Join(s.root, temporary, "left")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.tryLock(syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Error("a temporary file of a process that writes was removed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Sweep(ctx, nil, artifact.Remove); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sweep did not wait for the writer: %v", err)
	}
	unlock()
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("a temporary file of a process that is gone is still there")
	}
}

// TestGrace keeps what was stored or looked up a short time ago.
func TestGrace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newStore(t, WithGrace(time.Hour, func() time.Time { return now }))
	old, found := commit(t, s, map[string]string{"x": "old"}), commit(t, s, map[string]string{"x": "found"})
	if err := s.Remember(t.Context(), digest.JSON(1), found.Digest()); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*artifact.Artifact{old, found} {
		s.touch(s.path(manifests, a.Digest()))
	}
	now = now.Add(30 * time.Minute)
	if r, err := s.Sweep(t.Context(), nil, artifact.Remove); err != nil || r.Artifacts != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Lookup(t.Context(), digest.JSON(1)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(31 * time.Minute)
	r, err := s.Sweep(t.Context(), nil, artifact.Remove)
	if err != nil || len(r.Removed) != 1 || r.Removed[0] != old.Digest() {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestSweepDamaged removes what was put aside, and what is no longer known of a damaged manifest.
func TestSweepDamaged(t *testing.T) {
	s := newStore(t)
	a := commit(t, s, map[string]string{"x": "content"})
	edit(t, blobPath(s.dir, a.Files[0].Digest), "#")
	if _, err := s.Get(t.Context(), a.Digest()); err == nil {
		t.Fatal("no error")
	}
	if list := entries(t, s, damaged); len(list) != 1 {
		t.Errorf("damaged has %v", list)
	}
	r, err := s.Sweep(t.Context(), map[digest.Digest]struct{}{a.Digest(): {}}, artifact.Remove)
	if err != nil || r.Files != 1 || r.Bytes != 7 || r.Artifacts != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if list := entries(t, s, damaged); len(list) != 0 {
		t.Errorf("damaged has %v", list)
	}
}
