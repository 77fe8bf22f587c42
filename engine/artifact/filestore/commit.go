package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// takers is how many files of an artifact are taken at once. Hashing uses the processor and fsync the disk, and the
// disk serves several fsyncs together.
const takers = 4

// Commit implements artifact.Store. The manifest is written last, when all it names is durable.
func (s *Store) Commit(ctx context.Context, dir string, info artifact.Info) (*artifact.Artifact, error) {
	names, err := list(ctx, dir)
	if err != nil {
		return nil, err
	}
	if i := sort.SearchStrings(names, info.Main); info.Main != "" && (i == len(names) || names[i] != info.Main) {
		return nil, fmt.Errorf("the output has no file %q, which is said to hold its table", info.Main)
	}
	unlock, err := s.share(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()

	a := &artifact.Artifact{Files: make([]artifact.File, len(names)), Info: info}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(takers)
	for i, name := range names {
		group.Go(func() (err error) {
			a.Files[i], err = s.take(gctx, dir, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.syncBlobs(a.Files); err != nil {
		return nil, s.explain(err)
	}
	return s.putManifest(ctx, a)
}

// list returns the regular files below dir, as sorted slash-separated paths. What an artifact can't hold is refused:
// links would name things outside, and a name that is not plain text would not survive the manifest or another machine.
func list(ctx context.Context, dir string) ([]string, error) {
	names := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("the output file %q is a symbolic link: write the file itself, because what a link names can change", name)
		case !d.Type().IsRegular():
			return fmt.Errorf("the output file %q is no regular file (%s): write plain files only", name, d.Type())
		}
		if err := checkName(name); err != nil {
			return err
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("output cannot be stored: %w", err)
	}
	sort.Strings(names) // WalkDir orders by path element, which differs for names below a character less than '/'
	return names, nil
}

// checkName refuses paths that could not be written on every machine that shares the artifact, or lead out of it.
func checkName(name string) error {
	if !utf8.ValidString(name) || !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, '\\') ||
		strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("the file name %q cannot be stored: use clean relative paths in UTF-8 without backslashes and control characters", name)
	}
	return nil
}

// take brings one file into the store under its digest.
func (s *Store) take(ctx context.Context, dir, name string) (artifact.File, error) {
	none := artifact.File{}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	tmp := s.temp()
	defer os.Remove(tmp) // after success the name is gone already
	if err := s.bring(ctx, filepath.Join(dir, filepath.FromSlash(name)), tmp); err != nil {
		return none, err
	}
	if err := seal(tmp); err != nil {
		return none, s.explain(err)
	}
	f, fi, err := openRegular(tmp)
	if err != nil {
		return none, s.explain(err)
	}
	defer f.Close()
	d, n, err := copyHashed(ctx, io.Discard, f)
	if err != nil {
		return none, s.explain(err)
	}
	// The stamp was set before hashing: a process that still writes to the file has changed it by now.
	if fi, err = f.Stat(); err != nil {
		return none, s.explain(err)
	}
	if !sealed(fi, n) {
		return none, fmt.Errorf("the output file %q was still being written to while it was stored: wait for all child processes before the stage ends", name)
	}
	s.faults("blob-taken")
	file := artifact.File{Path: name, Digest: d, Size: n}
	if err := s.install(ctx, tmp, file); err != nil {
		return none, err
	}
	s.faults("blob-stored")
	return file, nil
}

// bring moves the file at src to tmp, or copies it if it is on another file system, belongs to somebody else, or has
// further names: those would become names of the stored content, and writing to them would damage it.
func (s *Store) bring(ctx context.Context, src, tmp string) error {
	fi, err := os.Lstat(src)
	if err != nil {
		return fmt.Errorf("output cannot be stored: %w", err)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Nlink == 1 && int(st.Uid) == os.Geteuid() {
		if os.Rename(src, tmp) == nil {
			return nil
		}
	}
	in, before, err := openRegular(src)
	if err != nil {
		return fmt.Errorf("output cannot be stored: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return s.explain(err)
	}
	if err := s.fill(ctx, out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return s.explain(err)
	}
	after, err := in.Stat()
	if err != nil {
		return fmt.Errorf("output cannot be stored: %w", err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return fmt.Errorf("the output file %q was still being written to while it was stored: wait for all child processes before the stage ends", src)
	}
	return nil
}

// fill copies in to out, sharing the storage if the file system can.
func (s *Store) fill(ctx context.Context, out, in *os.File) error {
	if !s.noClone.Load() && clone(out, in) == nil {
		return nil
	}
	var readErr error
	_, err := io.CopyBuffer(writerOnly{out}, until(ctx, readFunc(func(b []byte) (int, error) {
		n, err := in.Read(b)
		if err != nil && err != io.EOF {
			readErr = err
		}
		return n, err
	})), make([]byte, 256<<10))
	switch {
	case readErr != nil:
		return fmt.Errorf("output cannot be stored: %w", readErr)
	case err != nil && ctx.Err() != nil:
		return err
	}
	return s.explain(err)
}

// writerOnly hides the other methods of a file, so that a copy stays cancellable.
type writerOnly struct{ io.Writer }

// install gives the sealed file tmp its final name, unless a whole blob has it already.
func (s *Store) install(ctx context.Context, tmp string, f artifact.File) error {
	dst := s.path(blobs, f.Digest)
	for range 3 {
		err := s.check(ctx, f)
		if err == nil {
			return nil // stored already
		}
		if !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		if err := mkdir(filepath.Dir(dst)); err != nil {
			return s.explain(err)
		}
		if err := syncFile(tmp); err != nil {
			return s.explain(err)
		}
		err = renameNew(tmp, dst)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return s.explain(err)
		}
	}
	return fmt.Errorf("store at %s: %s is damaged again and again while it is stored", s.dir, dst)
}

// syncBlobs makes the names of the blobs durable, also of those that another process has just stored.
func (s *Store) syncBlobs(files []artifact.File) error {
	dirs := map[string]struct{}{}
	for _, f := range files {
		dirs[filepath.Dir(s.path(blobs, f.Digest))] = struct{}{}
	}
	var group errgroup.Group
	group.SetLimit(takers)
	for dir := range dirs {
		group.Go(func() error { return syncDir(dir) })
	}
	return group.Wait()
}

// putManifest stores the manifest and returns the artifact as Get would.
func (s *Store) putManifest(ctx context.Context, a *artifact.Artifact) (*artifact.Artifact, error) {
	raw, err := digest.Canonical(a)
	if err != nil {
		return nil, fmt.Errorf("what was said of the output cannot be stored: %w", err)
	}
	id := digest.Bytes(raw)
	dst := s.path(manifests, id)
	if stored, err := s.manifest(id); err == nil {
		s.touch(dst)
		return stored, s.explain(syncDir(filepath.Dir(dst)))
	}
	if err := s.write(raw, dst); err != nil {
		return nil, s.explain(err)
	}
	s.faults("manifest-stored")
	return s.manifest(id)
}

// write puts raw at dst durably, whole or not at all.
func (s *Store) write(raw []byte, dst string) error {
	if err := mkdir(filepath.Dir(dst)); err != nil {
		return err
	}
	tmp := s.temp()
	defer os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, blobPerm)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, dst)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dst))
}

// touch notes that the artifact is in use, for the grace of Sweep. It need not succeed.
func (s *Store) touch(manifest string) {
	now := s.now()
	_ = os.Chtimes(manifest, now, now)
}
