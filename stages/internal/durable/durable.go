package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MkdirAll creates path and its missing parents with the given mode, whatever the umask, and syncs every directory that
// got a new name.
func MkdirAll(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", path)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := MkdirAll(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		if errors.Is(err, fs.ErrExist) { // somebody else was faster
			return nil
		}
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	return SyncDir(parent)
}

// RemoveEmpty removes path and its parents as long as they are empty and lie below one of the roots, which stay.
func RemoveEmpty(path string, roots ...string) error {
	for below(path, roots) {
		entries, err := os.ReadDir(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case len(entries) > 0:
			return nil
		default:
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		path = filepath.Dir(path)
	}
	return nil
}

func below(path string, roots []string) bool {
	inside := false
	for _, root := range roots {
		rel, err := filepath.Rel(root, path)
		if err == nil && rel == "." {
			return false
		}
		inside = inside || err == nil && filepath.IsLocal(rel)
	}
	return inside
}

// Create writes what r holds to a new file and syncs it. It fails if the file exists; a file that could not be written
// whole is removed.
func Create(path string, r io.Reader, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Sync()
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// SyncTree syncs every directory below and including path, the deepest first.
func SyncTree(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := SyncTree(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return SyncDir(path)
}
