package filestore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Get implements artifact.Store: one read for the manifest and one lstat a file.
func (s *Store) Get(ctx context.Context, id digest.Digest) (*artifact.Artifact, error) {
	if _, err := digest.Parse(string(id)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a, err := s.manifest(id)
	if err != nil {
		return nil, err
	}
	for _, f := range a.Files {
		if err := s.check(ctx, f); err != nil {
			return nil, fmt.Errorf("artifact %s: file %s: %w", id.Short(), f.Path, err)
		}
	}
	return a, nil
}

// manifest reads the manifest of id; a damaged one is put aside.
func (s *Store) manifest(id digest.Digest) (*artifact.Artifact, error) {
	path := s.path(manifests, id)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("artifact %s: %w", id, artifact.ErrNotFound)
	}
	if err != nil {
		return nil, s.unreadable(err)
	}
	if got := digest.Bytes(raw); got != id {
		err := &artifact.CorruptError{Want: id, Got: got, Path: s.putAside(path, nil)}
		return nil, fmt.Errorf("artifact %s: %w: %w", id.Short(), artifact.ErrNotFound, err)
	}
	return decode(id, raw)
}

// decode reads a manifest whose digest was checked. The digest does not make it harmless: a store may be shared.
func decode(id digest.Digest, raw []byte) (*artifact.Artifact, error) {
	a := &artifact.Artifact{}
	err := json.Unmarshal(raw, a)
	for i := 0; err == nil && i < len(a.Files); i++ {
		if err = checkName(a.Files[i].Path); err == nil {
			_, err = digest.Parse(string(a.Files[i].Digest))
		}
		if err == nil && i > 0 && a.Files[i-1].Path >= a.Files[i].Path {
			err = fmt.Errorf("the files are out of order at %q", a.Files[i].Path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w: its manifest cannot be used: %w", id.Short(), artifact.ErrNotFound, err)
	}
	return a, nil
}

// check reports whether the blob of f is whole, trusting its stamp: nil, or ErrNotFound, with a CorruptError if it was
// damaged; a damaged blob is put aside.
func (s *Store) check(ctx context.Context, f artifact.File) error {
	path := s.path(blobs, f.Digest)
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", f.Digest, artifact.ErrNotFound)
	case err != nil:
		return s.unreadable(err)
	case sealed(fi, f.Size):
		return nil
	}
	blob, err := s.open(ctx, f)
	if err != nil {
		return err
	}
	blob.Close()
	_ = seal(path) // the content is right and only the stamp was not
	return nil
}

// open opens the blob of f after hashing all of it. A damaged blob is put aside.
func (s *Store) open(ctx context.Context, f artifact.File) (*os.File, error) {
	path := s.path(blobs, f.Digest)
	blob, fi, err := openRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", f.Digest, artifact.ErrNotFound)
	case errors.Is(err, errNotRegular):
		s.putAside(path, nil)
		return nil, fmt.Errorf("%s: %w: %w", f.Digest, artifact.ErrNotFound, err)
	case err != nil:
		return nil, s.unreadable(err)
	}
	got, n, err := copyHashed(ctx, io.Discard, blob)
	if err == nil && got == f.Digest {
		_, err = blob.Seek(0, io.SeekStart)
	}
	if err != nil {
		blob.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, s.unreadable(err)
	}
	if got != f.Digest {
		blob.Close()
		corrupt := &artifact.CorruptError{Want: f.Digest, Got: got, Path: s.putAside(path, fi)}
		return nil, fmt.Errorf("%w: %w", artifact.ErrNotFound, corrupt)
	}
	if n != f.Size {
		blob.Close()
		return nil, fmt.Errorf("%w: %s has %d bytes and not %d", artifact.ErrNotFound, f.Digest, n, f.Size)
	}
	return blob, nil
}

// putAside moves what lies at path to damaged, so that the content can be stored anew, and returns where it lies then.
// If was is given and another file lies at path by now, that one stays: somebody has stored it anew already.
func (s *Store) putAside(path string, was fs.FileInfo) string {
	to := filepath.Join(s.root, damaged, filepath.Base(path)+"."+rand.Text()[:8])
	if err := mkdir(filepath.Dir(to)); err != nil {
		return path
	}
	if err := os.Rename(path, to); err != nil {
		return path // a store that can't be written to; the content stays refused all the same
	}
	if fi, err := os.Lstat(to); was != nil && err == nil && !os.SameFile(fi, was) {
		if renameNew(to, path) != nil {
			_ = os.Remove(to) // stored anew a second time
		}
		return path
	}
	return to
}
