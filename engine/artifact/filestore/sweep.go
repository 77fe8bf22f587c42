package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Sweep implements artifact.Keeper. Removing waits for the store's lock alone, so that no Commit runs meanwhile.
// What refers goes before what it refers to: a sweep that is killed leaves garbage and no dangling manifest.
func (s *Store) Sweep(ctx context.Context, live map[digest.Digest]struct{}, mode artifact.SweepMode) (artifact.SweepReport, error) {
	if _, err := os.Stat(s.root); errors.Is(err, fs.ErrNotExist) {
		return artifact.SweepReport{}, nil
	}
	if mode == artifact.Remove {
		unlock, err := s.lock(ctx, syscall.LOCK_EX)
		if err != nil {
			return artifact.SweepReport{}, err
		}
		defer unlock()
	}
	w := &sweeper{Store: s, mode: mode, kept: map[digest.Digest]bool{}, blobs: map[digest.Digest]bool{}}
	for _, step := range []func(context.Context, map[digest.Digest]struct{}) error{w.mark, w.fingerprints, w.artifacts, w.files} {
		if err := step(ctx, live); err != nil {
			return w.report, err
		}
	}
	return w.report, nil
}

// sweeper is one sweep.
type sweeper struct {
	*Store
	mode   artifact.SweepMode
	kept   map[digest.Digest]bool // artifacts that stay
	blobs  map[digest.Digest]bool // and their files
	dead   []string               // manifests to remove
	report artifact.SweepReport
}

// mark finds out which manifests stay, and which blobs they name.
func (w *sweeper) mark(ctx context.Context, live map[digest.Digest]struct{}) error {
	return w.visit(ctx, manifests, func(path string, fi fs.FileInfo) error {
		id, err := digest.Parse("sha256:" + filepath.Base(path))
		if err != nil {
			return nil // not ours
		}
		_, stays := live[id]
		if age := w.now().Sub(fi.ModTime()); !stays && w.grace > 0 && age >= 0 && age < w.grace {
			stays = true
		}
		if !stays {
			w.dead = append(w.dead, path)
			w.report.Removed = append(w.report.Removed, id)
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return w.unreadable(err)
		}
		if digest.Bytes(raw) != id {
			return nil // damaged: Get puts it aside, and what it named can't be known
		}
		a, err := decode(id, raw)
		if err != nil {
			return nil
		}
		w.kept[id] = true
		w.report.KeptArtifacts++
		for _, f := range a.Files {
			w.blobs[f.Digest] = true
		}
		return nil
	})
}

// fingerprints drops the cache entries of artifacts that go, and malformed ones.
func (w *sweeper) fingerprints(ctx context.Context, _ map[digest.Digest]struct{}) error {
	return w.visit(ctx, cache, func(path string, _ fs.FileInfo) error {
		id, err := w.recall(path, digest.Digest("sha256:"+filepath.Base(path)))
		if err == nil && w.kept[id] {
			return nil
		}
		w.report.Fingerprints++
		return w.remove(path)
	})
}

// artifacts drops the manifests that go.
func (w *sweeper) artifacts(context.Context, map[digest.Digest]struct{}) error {
	sort.Slice(w.report.Removed, func(i, j int) bool { return w.report.Removed[i] < w.report.Removed[j] })
	w.report.Artifacts = len(w.dead)
	for _, path := range w.dead {
		if err := w.remove(path); err != nil {
			return err
		}
	}
	return nil
}

// files drops the blobs that no artifact names any more, and what was put aside as damaged.
func (w *sweeper) files(ctx context.Context, _ map[digest.Digest]struct{}) error {
	drop := func(path string, fi fs.FileInfo) error {
		w.report.Files++
		w.report.Bytes += fi.Size()
		return w.remove(path)
	}
	err := w.visit(ctx, blobs, func(path string, fi fs.FileInfo) error {
		if w.blobs[digest.Digest("sha256:"+filepath.Base(path))] {
			w.report.KeptBytes += fi.Size()
			return nil
		}
		return drop(path, fi)
	})
	if err != nil {
		return err
	}
	list, err := os.ReadDir(filepath.Join(w.root, damaged))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return w.unreadable(err)
	}
	for _, e := range list {
		fi, err := e.Info()
		if err != nil {
			continue
		}
		if err := drop(filepath.Join(w.root, damaged, e.Name()), fi); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweeper) remove(path string) error {
	if w.mode != artifact.Remove {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.explain(err)
	}
	return nil
}

func (s *Store) unreadable(err error) error {
	return fmt.Errorf("the store at %s cannot be read: %w", s.dir, err)
}

// visit calls fn for every file of a kind, in the order of their names.
func (s *Store) visit(ctx context.Context, kind string, fn func(path string, fi fs.FileInfo) error) error {
	shards, err := os.ReadDir(filepath.Join(s.root, kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.unreadable(err)
	}
	for _, shard := range shards {
		dir := filepath.Join(s.root, kind, shard.Name())
		list, err := os.ReadDir(dir)
		if err != nil {
			return s.unreadable(err)
		}
		for _, e := range list {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			fi, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return s.unreadable(err)
			}
			if err := fn(filepath.Join(dir, e.Name()), fi); err != nil {
				return err
			}
		}
	}
	return nil
}
