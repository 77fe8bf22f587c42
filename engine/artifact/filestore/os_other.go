//go:build !linux

package filestore

import (
	"errors"
	"os"
)

// clone makes dst share the content of src (a reflink); not on this system.
func clone(dst, src *os.File) error { return errors.ErrUnsupported }

// renameNew renames from to to. Both hold the same content if to exists, so that replacing it is harmless.
func renameNew(from, to string) error { return os.Rename(from, to) }

// syncFileSystem makes everything on the file system of f durable, where the system can.
func syncFileSystem(*os.File) (ok bool, err error) { return false, nil }
