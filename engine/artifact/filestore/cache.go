package filestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// remembered is the content of a cache entry.
type remembered struct {
	Fingerprint digest.Digest `json:"fingerprint"`
	Artifact    digest.Digest `json:"artifact"`
}

// Lookup implements artifact.Store. Whatever is wrong with the cache entry is a miss with a reason and never an error of
// another kind, because the node can always be run.
func (s *Store) Lookup(ctx context.Context, fingerprint digest.Digest) (*artifact.Artifact, error) {
	if _, err := digest.Parse(string(fingerprint)); err != nil {
		return nil, err
	}
	id, err := s.recall(s.path(cache, fingerprint), fingerprint)
	if err != nil {
		return nil, fmt.Errorf("fingerprint %s: %w", fingerprint.Short(), err)
	}
	a, err := s.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fingerprint %s: %w", fingerprint.Short(), err)
	}
	s.touch(s.path(manifests, id))
	return a, nil
}

// recall reads the cache entry at path.
func (s *Store) recall(path string, fingerprint digest.Digest) (digest.Digest, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", artifact.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("%w: the cache entry cannot be read: %w", artifact.ErrNotFound, err)
	}
	var r remembered
	if err := json.Unmarshal(raw, &r); err != nil {
		return "", fmt.Errorf("%w: the cache entry %s is malformed: %w", artifact.ErrNotFound, path, err)
	}
	if r.Fingerprint != fingerprint {
		return "", fmt.Errorf("%w: the cache entry %s is of another fingerprint, %q", artifact.ErrNotFound, path, r.Fingerprint)
	}
	if _, err := digest.Parse(string(r.Artifact)); err != nil {
		return "", fmt.Errorf("%w: the cache entry %s names no artifact: %w", artifact.ErrNotFound, path, err)
	}
	return r.Artifact, nil
}

// Remember implements artifact.Store. It does not wait for the disk: a cache entry that a power cut took is a miss.
func (s *Store) Remember(ctx context.Context, fingerprint, id digest.Digest) error {
	for _, d := range []digest.Digest{fingerprint, id} {
		if _, err := digest.Parse(string(d)); err != nil {
			return err
		}
	}
	unlock, err := s.share(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	dst := s.path(cache, fingerprint)
	if have, err := s.recall(dst, fingerprint); err == nil && have == id {
		return nil
	}
	raw, err := digest.Canonical(remembered{Fingerprint: fingerprint, Artifact: id})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dst), dirPerm); err != nil {
		return s.explain(err)
	}
	tmp := s.temp()
	defer os.Remove(tmp)
	if err := os.WriteFile(tmp, raw, blobPerm); err != nil {
		return s.explain(err)
	}
	return s.explain(os.Rename(tmp, dst))
}
