package filestate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"pipe/engine/state"
)

// The names of files below the directory.
const (
	stateFile   = "state.json"
	lockFile    = "lock"
	writeFile   = "write"
	journalFile = "journal.jsonl"
	outboxFile  = "outbox.jsonl"
	auditFile   = "audit.jsonl"
	commitsFile = "commits.jsonl"
	historyDir  = "history"
	tmpSuffix   = ".tmp"
)

// flock takes a lock on an open file or fails with EWOULDBLOCK.
func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// unlock frees a lock by name and not only by closing: a child that was just forked may hold a copy of the descriptor.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}

// poll calls try until it no longer fails with EWOULDBLOCK, ctx is done, or wait is over; then the error is
// EWOULDBLOCK. It tries for some milliseconds at least, because a look at the holder takes the lock for a moment.
func poll(ctx context.Context, wait time.Duration, try func() error) error {
	end := time.Now().Add(max(wait, 15*time.Millisecond))
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := try()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		left := time.Until(end)
		if left <= 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(pause, left)):
		}
	}
}

// named reports whether path still names the open file f.
func named(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// lockNow takes the flock of the lease, or fails with EWOULDBLOCK.
func (s *Store) lockNow() (*os.File, error) {
	path := s.file(lockFile)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, filePerm)
		if err != nil {
			return nil, err
		}
		if err := flock(f, syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		if named(f, path) {
			return f, nil
		}
		f.Close() // replaced between open and lock
	}
}

// readHolder reads who wrote the lock file last.
func readHolder(f *os.File) (state.Holder, bool) {
	var h state.Holder
	raw, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	if err != nil || json.Unmarshal(bytes.TrimRight(raw, " \n"), &h) != nil {
		return state.Holder{}, false
	}
	return h, true
}

// writeHolder writes h to the lock file: in one write, over what is there, so that a reader never finds it empty.
func writeHolder(f *os.File, h state.Holder) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if fi, err := f.Stat(); err == nil && int64(len(raw)) < fi.Size() {
		raw = append(raw, bytes.Repeat([]byte{'\n'}, int(fi.Size())-len(raw))...)
	}
	if _, err := f.WriteAt(raw, 0); err != nil {
		return err
	}
	return nil
}

// clearHolder leaves the lock file of a lease that was given back: the same bytes whoever held it.
func clearHolder(f *os.File) error {
	if err := writeHolder(f, state.Holder{}); err != nil {
		return err
	}
	raw, err := json.Marshal(state.Holder{})
	if err != nil {
		return err
	}
	return f.Truncate(int64(len(raw)) + 1)
}

// Holder implements state.Store.
func (s *Store) Holder(context.Context) (*state.Holder, error) {
	f, err := os.Open(s.file(lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the lock of the state cannot be read: %w", err)
	}
	defer f.Close()
	if err := flock(f, syscall.LOCK_SH); err == nil {
		unlock(f) // nobody holds it; what is written in it is of a holder that is gone
		return nil, nil
	} else if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("the lock of the state cannot be read: %w", err)
	}
	h, _ := readHolder(f)
	return &h, nil
}

// BreakLock implements state.Store.
func (s *Store) BreakLock(ctx context.Context, id string) error {
	holder, err := s.Holder(ctx)
	if err != nil {
		return err
	}
	if holder == nil {
		return errors.New("the state is not locked: there is nothing to unlock")
	}
	w, err := s.lockWrites(ctx, s.patience)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("the holder is in the middle of a write and does not go on: end process %d on %s first; that frees the lock", holder.PID, holder.Host)
	}
	if err != nil {
		return s.explain(err)
	}
	defer w.Close()
	defer unlock(w)
	if holder, err = s.Holder(ctx); err != nil {
		return err
	}
	if holder == nil || holder.ID != id {
		now := "nobody"
		if holder != nil {
			now = holder.String()
		}
		return fmt.Errorf("the lock %s is not the present one: the state is locked by %s", id, now)
	}
	tmp := s.file(lockFile + tmpSuffix)
	if err := os.WriteFile(tmp, nil, filePerm); err != nil {
		return s.explain(err)
	}
	return s.explain(os.Rename(tmp, s.file(lockFile)))
}

// lockWrites takes the lock that lies around every single write.
func (s *Store) lockWrites(ctx context.Context, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(s.file(writeFile), os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	if err := poll(ctx, wait, func() error { return flock(f, syscall.LOCK_EX) }); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// complete fills in what the caller left open.
func complete(h state.Holder, now time.Time) state.Holder {
	if h.ID == "" {
		h.ID = rand.Text()
	}
	if h.PID == 0 {
		h.PID = os.Getpid()
	}
	if h.Host == "" {
		h.Host, _ = os.Hostname()
	}
	if h.Since.IsZero() {
		h.Since = now.UTC()
	}
	return h
}
