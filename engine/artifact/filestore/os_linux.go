package filestore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// clone makes dst share the content of src (a reflink), where the file system can.
func clone(dst, src *os.File) error { return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) }

// renameNew renames from to to, and fails with fs.ErrExist if to exists, where the file system can tell.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return os.Rename(from, to)
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}

// syncFileSystem makes everything on the file system of f durable, where the system can and tells of errors of writing:
// ok is false if it can't.
func syncFileSystem(f *os.File) (ok bool, err error) {
	err = unix.Syncfs(int(f.Fd()))
	return !errors.Is(err, unix.ENOSYS), err
}
