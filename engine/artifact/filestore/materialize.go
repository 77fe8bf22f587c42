package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Materialize implements artifact.Store. It makes a reflink or a hard link if dst is on the file system of the store,
// and a copy otherwise. The blob is hashed in every case, because what leaves the store must be right.
func (s *Store) Materialize(ctx context.Context, f artifact.File, dst string) error {
	if _, err := digest.Parse(string(f.Digest)); err != nil {
		return err
	}
	if s.linked(f, dst) {
		return nil
	}
	blob, err := s.open(ctx, f)
	if err != nil {
		return fmt.Errorf("file %s: %w", f.Path, err)
	}
	defer blob.Close()
	if fi, err := os.Lstat(dst); err == nil && fi.IsDir() {
		return fmt.Errorf("%s cannot be written: there is a directory of that name", dst)
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return target(dst, err)
	}
	if s.placeShared(ctx, blob, f, dst) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return target(dst, copyTo(ctx, blob, f, dst))
}

// target turns an error of writing to dst into one that says what to do.
func target(dst string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s cannot be written: its disk is full: %w", dst, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be written: check the owner and permissions of its directory: %w", dst, err)
	}
	return fmt.Errorf("%s cannot be written: %w", dst, err)
}

// linked reports whether the file at path is the blob of f itself, and whole by its stamp.
func (s *Store) linked(f artifact.File, path string) bool {
	at, err := os.Lstat(path)
	if err != nil || !sealed(at, f.Size) {
		return false
	}
	blob, err := os.Lstat(s.path(blobs, f.Digest))
	return err == nil && os.SameFile(at, blob)
}

// placeShared puts a file at dst that shares storage with the blob, and reports whether it could. The temporary name is in
// the store, so that a process that is killed leaves nothing beside dst.
func (s *Store) placeShared(ctx context.Context, blob *os.File, f artifact.File, dst string) bool {
	unlock, err := s.share(ctx)
	if err != nil {
		return false // such as a store that can only be read
	}
	defer unlock()
	tmp := s.temp()
	defer os.Remove(tmp) // also after success: renaming a hard link onto another one of the same file does nothing
	if !s.reflink(tmp, blob) && !s.hardlink(tmp, blob, f) {
		return false
	}
	return os.Rename(tmp, dst) == nil
}

// reflink makes tmp a copy of blob that shares its storage.
func (s *Store) reflink(tmp string, blob *os.File) bool {
	if s.noClone.Load() {
		return false
	}
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	err = clone(out, blob)
	if err == nil {
		err = out.Sync()
	}
	out.Close()
	if err == nil {
		err = seal(tmp)
	}
	if err != nil {
		s.noClone.Store(true)
		_ = os.Remove(tmp)
		return false
	}
	return true
}

// hardlink makes tmp a further name of blob, if its stamp says that it is still what was hashed.
func (s *Store) hardlink(tmp string, blob *os.File, f artifact.File) bool {
	fi, err := blob.Stat()
	if err != nil {
		return false
	}
	if !sealed(fi, f.Size) {
		if err := seal(s.path(blobs, f.Digest)); err != nil {
			return false
		}
	}
	if os.Link(s.path(blobs, f.Digest), tmp) != nil {
		return false
	}
	linked, err := os.Lstat(tmp)
	return err == nil && sealed(linked, f.Size) && os.SameFile(fi, linked)
}

// copyTo copies blob to dst durably, checking once more what it copies.
func copyTo(ctx context.Context, blob *os.File, f artifact.File, dst string) error {
	out, err := besides(dst)
	if err != nil {
		return err
	}
	defer out.Close()
	tmp := out.Name()
	got, _, err := copyHashed(ctx, out, blob)
	if err == nil && got != f.Digest {
		err = fmt.Errorf("%w: %w", artifact.ErrNotFound, &artifact.CorruptError{Want: f.Digest, Got: got, Path: blob.Name()})
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = seal(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, dst)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(dst))
}

// besides opens a temporary file in the directory of dst. Its name is always the same for dst, so that a process that
// was killed leaves at most one file, which the next one takes over; a lock tells whether somebody is at it.
func besides(dst string) (*os.File, error) {
	base := ".pipe-" + digest.Bytes([]byte(filepath.Base(dst))).Short() + ".tmp"
	path := filepath.Join(filepath.Dir(dst), base)
	for range 100 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		if err != nil { // left by a process that had sealed it already
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			f.Close()
			return os.CreateTemp(filepath.Dir(dst), base+"-*")
		}
		mine, err1 := f.Stat()
		named, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, named) {
			return f, f.Truncate(0)
		}
		f.Close() // somebody else has renamed it to its final name: writing to it would change that file
	}
	return nil, fmt.Errorf("too many processes write to %s", dst)
}

// Same implements artifact.Comparer.
func (s *Store) Same(ctx context.Context, f artifact.File, path string) (bool, error) {
	if s.linked(f, path) {
		return true, nil
	}
	file, fi, err := openRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNotRegular), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s cannot be compared: %w", path, err)
	}
	defer file.Close()
	if fi.Size() != f.Size {
		return false, nil
	}
	got, _, err := copyHashed(ctx, io.Discard, file)
	if err != nil {
		return false, fmt.Errorf("%s cannot be compared: %w", path, err)
	}
	return got == f.Digest, nil
}
