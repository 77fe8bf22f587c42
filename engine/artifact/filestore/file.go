package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"pipe/engine/digest"
)

// mkdir makes dir and its parents durably.
func mkdir(dir string) error {
	if fi, err := os.Stat(dir); err == nil {
		if fi.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	parent := filepath.Dir(dir)
	if err := mkdir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncFile makes the content of the file at path durable.
func syncFile(path string) error { return syncDir(path) }

// openRegular opens the file at path for reading and refuses anything but a regular file.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if fi, lerr := os.Lstat(path); lerr == nil && !fi.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular} // a link, a socket
		}
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// errNotRegular says that something else stands where a regular file is needed.
var errNotRegular = errors.New("is no regular file")

// readFunc is a reader made of a function.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// until returns a reader of r that fails once ctx is done.
func until(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return r.Read(b)
	})
}

// copyHashed copies r to w and returns the digest and length of what it copied.
func copyHashed(ctx context.Context, w io.Writer, r io.Reader) (digest.Digest, int64, error) {
	h := sha256.New()
	buf := make([]byte, bufferFor(r))
	n, err := io.CopyBuffer(io.MultiWriter(h, w), until(ctx, r), buf)
	if err != nil {
		return "", n, err
	}
	return digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), n, nil
}

// bufferFor returns the size of a buffer to read r with: no larger than a small file needs.
func bufferFor(r io.Reader) int64 {
	const least, most = 512, 256 << 10
	if f, ok := r.(*os.File); ok {
		if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
			return min(most, max(least, fi.Size()+1))
		}
	}
	return most
}

// seal makes the file read-only and gives it the stamp, so that a later write to it shows.
func seal(path string) error {
	if err := os.Chmod(path, blobPerm); err != nil {
		return err
	}
	t := time.Unix(stampUnix, 0)
	return os.Chtimes(path, t, t)
}

// sealed reports whether fi is a regular file of that size with the stamp.
func sealed(fi fs.FileInfo, size int64) bool {
	return fi.Mode().IsRegular() && fi.Size() == size && fi.ModTime().UnixNano() == stampUnix*int64(time.Second)
}
