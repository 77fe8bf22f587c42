package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Verify implements artifact.Keeper. It only reports, in the order of paths: putting aside is left to Get and Commit.
func (s *Store) Verify(ctx context.Context) (artifact.VerifyReport, error) {
	v := &verifier{Store: s, sizes: map[digest.Digest]int64{}, seen: map[digest.Digest]bool{}}
	steps := []struct {
		kind  string
		visit func(ctx context.Context, path string, want digest.Digest) error
	}{{blobs, v.blob}, {manifests, v.manifestAt}, {cache, v.entry}}
	for _, step := range steps {
		err := s.visit(ctx, step.kind, func(path string, _ fs.FileInfo) error {
			want, err := digest.Parse("sha256:" + filepath.Base(path))
			if err != nil {
				v.problem(fmt.Errorf("%s does not belong into the store: its name is no digest", path))
				return nil
			}
			return step.visit(ctx, path, want)
		})
		if err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

// verifier is one verification.
type verifier struct {
	*Store
	sizes  map[digest.Digest]int64 // of whole blobs
	seen   map[digest.Digest]bool  // blobs that are there, whole or not
	report artifact.VerifyReport
}

func (v *verifier) problem(err error) { v.report.Problems = append(v.report.Problems, err) }

func (v *verifier) blob(ctx context.Context, path string, want digest.Digest) error {
	v.report.Files++
	v.seen[want] = true
	f, _, err := openRegular(path)
	if err != nil {
		v.problem(err)
		return nil
	}
	defer f.Close()
	got, n, err := copyHashed(ctx, io.Discard, f)
	v.report.Bytes += n
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		v.problem(err)
	case got != want:
		v.problem(&artifact.CorruptError{Want: want, Got: got, Path: path})
	default:
		v.sizes[want] = n
	}
	return nil
}

func (v *verifier) manifestAt(_ context.Context, path string, want digest.Digest) error {
	v.report.Artifacts++
	raw, err := os.ReadFile(path)
	if err != nil {
		v.problem(err)
		return nil
	}
	if got := digest.Bytes(raw); got != want {
		v.problem(&artifact.CorruptError{Want: want, Got: got, Path: path})
		return nil
	}
	a, err := decode(want, raw)
	if err != nil {
		v.problem(err)
		return nil
	}
	for _, f := range a.Files {
		size, whole := v.sizes[f.Digest]
		switch {
		case !v.seen[f.Digest] && !v.exists(f):
			v.problem(fmt.Errorf("artifact %s: file %s: %s: %w", want.Short(), f.Path, f.Digest, artifact.ErrNotFound))
		case whole && size != f.Size:
			v.problem(fmt.Errorf("artifact %s: file %s: the manifest says %d bytes, the content has %d", want.Short(), f.Path, f.Size, size))
		}
	}
	return nil
}

// exists reports whether the blob of f is there: it may have been stored after the blobs were visited.
func (v *verifier) exists(f artifact.File) bool {
	_, err := os.Lstat(v.path(blobs, f.Digest))
	return err == nil
}

func (v *verifier) entry(_ context.Context, path string, want digest.Digest) error {
	id, err := v.recall(path, want)
	if err != nil {
		v.problem(err)
		return nil
	}
	if _, err := os.Lstat(v.path(manifests, id)); errors.Is(err, fs.ErrNotExist) {
		v.problem(fmt.Errorf("fingerprint %s: artifact %s: %w", want.Short(), id.Short(), artifact.ErrNotFound))
	}
	return nil
}
