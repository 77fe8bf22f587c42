package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// share takes the store's lock together with other writers, so that no sweep runs meanwhile.
func (s *Store) share(ctx context.Context) (unlock func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return s.lock(ctx, syscall.LOCK_SH)
}

// lock waits for the store's lock. It polls, because a blocking flock can't be cancelled.
func (s *Store) lock(ctx context.Context, how int) (unlock func(), err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		unlock, err := s.tryLock(how)
		if err == nil {
			return unlock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, s.explain(err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// tryLock takes the lock or fails with EWOULDBLOCK. The kernel frees it when the process ends, however it ends.
func (s *Store) tryLock(how int) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.root, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return func() {
		// Unlocked by name and not only by closing: a child that was just forked may hold a copy of the descriptor.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		f.Close()
	}, nil
}
