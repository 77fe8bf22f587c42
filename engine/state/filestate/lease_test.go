package filestate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

// TestLeftovers clears what killed writers leave, and nothing else.
func TestLeftovers(t *testing.T) {
	s, l := store(t)
	l.put(t, statetest.Sample(1))
	l.give(t)
	left := []string{stateFile + tmpSuffix, journalFile + tmpSuffix, filepath.Join(historyDir, "00000001.json"+tmpSuffix)}
	for _, name := range left {
		writeFileAt(t, s.file(name), []byte("half"))
	}
	writeFileAt(t, s.file("notes.txt"), nil)
	take(t, s).give(t)
	for _, name := range left {
		if _, err := os.Stat(s.file(name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	readFile(t, s.file("notes.txt"))
}

// TestHistoryOfLeases keeps the state before each of the last leases, however many serials they write.
func TestHistoryOfLeases(t *testing.T) {
	s, l := store(t)
	l.give(t)
	snap := statetest.Sample(1)
	for range 12 {
		l := take(t, s)
		for range 20 {
			l.put(t, snap)
		}
		l.give(t)
	}
	saved, err := s.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	have := map[int64]bool{}
	for _, h := range saved {
		have[h.Serial] = true
		if got, err := Decode(readFile(t, h.Path)); err != nil || got.Serial != h.Serial {
			t.Errorf("%s: %v", h.Path, err)
		}
	}
	for _, serial := range []int64{60, 80, 220, 240, 239, 235} {
		if !have[serial] {
			t.Errorf("serial %d is not kept: %v", serial, saved)
		}
	}
	if len(saved) > 2*keptSerials {
		t.Errorf("%d are kept", len(saved))
	}
}

// TestLastCopyIsIndependent edits state.json in place after the lease: the copy in the history is another file.
func TestLastCopyIsIndependent(t *testing.T) {
	s, l := store(t)
	l.put(t, statetest.Sample(1))
	l.give(t)
	f, err := os.OpenFile(s.file(stateFile), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("edited"), 200); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "00000001-last.json") {
		t.Errorf("error %v", err)
	}
}

// TestHolderDisturbsNobody has many ask who holds the lease while others take it without waiting.
func TestHolderDisturbsNobody(t *testing.T) {
	s, l := store(t)
	l.give(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Holder(ctx); err != nil {
					t.Error(err)
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	for range 200 {
		l, err := s.Acquire(t.Context(), state.Holder{}, 0)
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

// TestBreakWaitsForWrite has the holder be in the middle of a write while its lock is broken.
func TestBreakWaitsForWrite(t *testing.T) {
	s, l := store(t)
	s.patience = 50 * time.Millisecond
	if err := flock(l.writes, syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	err := s.BreakLock(t.Context(), l.holder.ID)
	if err == nil || !strings.Contains(err.Error(), "in the middle of a write") {
		t.Errorf("error %v", err)
	}
	unlock(l.writes)
	if err := s.BreakLock(t.Context(), l.holder.ID); err != nil {
		t.Error(err)
	}
	if err := l.Write(t.Context(), statetest.Sample(1)); !errors.Is(err, state.ErrLost) {
		t.Errorf("error %v", err)
	}
}

// TestMovedDirectory takes the state away from under its holder.
func TestMovedDirectory(t *testing.T) {
	s, l := store(t)
	snap := statetest.Sample(1)
	l.put(t, snap)
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(t.Context(), snap); !errors.Is(err, state.ErrLost) {
		t.Errorf("error %v, want ErrLost", err)
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("the directory was made again")
	}
}

// TestChangedBehindTheLease replaces the state file without the lease, as a restored backup does.
func TestChangedBehindTheLease(t *testing.T) {
	s, l := store(t)
	snap := statetest.Sample(1)
	l.put(t, snap)
	first := readFile(t, s.file(stateFile))
	l.put(t, snap)
	writeFileAt(t, s.file(stateFile), first)
	if err := l.Write(t.Context(), snap); !errors.Is(err, state.ErrStale) {
		t.Errorf("error %v, want ErrStale", err)
	}
}

// TestFullDisk writes until the disk is full: the error says what to do, nothing is left half-written, and all goes on
// when there is space again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("a small file system can't be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s, err := Open(dir, statetest.Pipeline, statetest.Environment)
	if err != nil {
		t.Fatal(err)
	}
	l := take(t, s)
	snap := statetest.Sample(20)
	l.put(t, snap)
	fill(t, l, "before")
	hog := filepath.Join(dir, "hog")
	hogFile(t, hog)
	audit := readFile(t, s.file(auditFile))

	for what, err := range map[string]error{"Write": l.Write(t.Context(), snap),
		"AppendAudit": l.AppendAudit(t.Context(), []byte(strings.Repeat("x", 8192))),
		"Put":         l.Outbox().Put(t.Context(), "big", []byte(`"`+strings.Repeat("x", 8192)+`"`))} {
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "is full: free space") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	if got, err := s.Read(t.Context()); err != nil || got.Serial != 1 || snap.Serial != 1 {
		t.Errorf("serial %v, %v", snap.Serial, err)
	}
	if _, err := os.Stat(s.file(stateFile + tmpSuffix)); err == nil {
		t.Error("a half-written file is left")
	}
	if got := readFile(t, s.file(auditFile)); string(got) != string(audit) {
		t.Errorf("the audit log grew by %q", got[len(audit):])
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	l.put(t, snap)
	fill(t, l, "after")
	l.give(t)
	l = take(t, s)
	if pending, err := l.Outbox().Pending(t.Context()); err != nil || len(pending) != 2 {
		t.Errorf("pending %v, %v", pending, err)
	}
}

// hogFile fills the file system.
func hogFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1024))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestReadOnly reads a state on a file system that can't be written to, and says so when it is to be written.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("a file system can't be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s, err := Open(dir, statetest.Pipeline, statetest.Environment)
	if err != nil {
		t.Fatal(err)
	}
	l := take(t, s)
	l.put(t, statetest.Sample(1))
	l.give(t)
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	if got, err := s.Read(t.Context()); err != nil || got.Serial != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("holder %v, %v", h, err)
	}
	if _, err := s.Acquire(t.Context(), state.Holder{}, 0); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "cannot be written to") {
		t.Errorf("error %v", err)
	}
}

// TestReleasedLockIsTheSame holds the lock file of a released lease against the one that another holder left.
func TestReleasedLockIsTheSame(t *testing.T) {
	s, first := store(t)
	first.give(t)
	var left []string
	for _, who := range []string{"a", "a much longer name than the first one has", "b"} {
		l, err := s.Acquire(t.Context(), state.Holder{Name: who}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(s.file(lockFile))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, string(raw))
	}
	if left[0] != left[1] || left[1] != left[2] {
		t.Errorf("the lock file tells of a holder that is gone: %q", left)
	}
}
