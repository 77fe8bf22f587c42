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

// workers is how many files of an artifact are taken at once. Hashing uses the processor and fsync the disk, and the
// disk serves several fsyncs together.
const workers = 4

// Commit implements artifact.Store. Everything is durable under a temporary name before anything gets its final name,
// and the manifest gets its name last.
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
	arrived := s.group.expect()
	defer arrived()

	taken := make([]staged, len(names))
	defer func() {
		for _, t := range taken {
			t.discard()
		}
	}()
	if err := each(ctx, len(names), func(ctx context.Context, i int) (err error) {
		taken[i], err = s.take(ctx, dir, names[i])
		return err
	}); err != nil {
		return nil, err
	}
	a := &artifact.Artifact{Files: make([]artifact.File, len(names)), Info: info}
	for i, t := range taken {
		a.Files[i] = t.file
	}
	raw, err := digest.Canonical(a)
	if err != nil {
		return nil, fmt.Errorf("what was said of the output cannot be stored: %w", err)
	}
	id := digest.Bytes(raw)
	if err := s.install(ctx, taken, id, raw, arrived); err != nil {
		return nil, err
	}
	return decode(id, raw)
}

// each calls work for 0 to n-1, several at the same time, and returns the first error, which cancels the others.
func each(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range n {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
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

// staged is a file below tmp that waits for its final name.
type staged struct {
	tmp  string // "" if there is nothing to store
	dst  string
	file artifact.File
}

// discard removes the temporary file; after it got its final name there is none.
func (t staged) discard() {
	if t.tmp != "" {
		_ = os.Remove(t.tmp)
	}
}

// take brings one file below tmp and finds out its digest.
func (s *Store) take(ctx context.Context, dir, name string) (t staged, err error) {
	if ctx.Err() != nil {
		return staged{}, context.Cause(ctx)
	}
	t.tmp = s.temp()
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	if err := s.bring(ctx, filepath.Join(dir, filepath.FromSlash(name)), t.tmp); err != nil {
		return t, err
	}
	if err := seal(t.tmp); err != nil {
		return t, s.explain(err)
	}
	f, _, err := openRegular(t.tmp)
	if err != nil {
		return t, s.explain(err)
	}
	defer f.Close()
	d, n, err := copyHashed(ctx, io.Discard, f)
	if err != nil {
		return t, s.explain(err)
	}
	// The stamp was set before hashing: a process that still writes to the file has changed it by now.
	fi, err := f.Stat()
	if err != nil {
		return t, s.explain(err)
	}
	if !sealed(fi, n) {
		return t, fmt.Errorf("the output file %q was still being written to while it was stored: wait for all child processes before the stage ends", name)
	}
	s.faults("blob-taken")
	t.file = artifact.File{Path: name, Digest: d, Size: n}
	t.dst = s.path(blobs, d)
	return t, nil
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
	})), make([]byte, bufferFor(in)))
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

// install makes what was taken, and the manifest, durable and gives them their names.
func (s *Store) install(ctx context.Context, taken []staged, id digest.Digest, manifest []byte, arrived func()) error {
	var fresh []staged
	for i, t := range taken {
		err := s.check(ctx, t.file)
		if err == nil {
			taken[i].discard() // stored already
			continue
		}
		if !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		fresh = append(fresh, t)
	}
	last := staged{dst: s.path(manifests, id)}
	if _, err := s.manifest(id); err != nil {
		last.tmp = s.temp()
		defer last.discard()
		if err := os.WriteFile(last.tmp, manifest, blobPerm); err != nil {
			return s.explain(err)
		}
		fresh = append(fresh, last)
	} else {
		s.touch(last.dst)
	}
	// The directories also of what is stored already: the process that stores it just now may not have come so far.
	dirs := map[string]struct{}{filepath.Dir(last.dst): {}}
	for _, t := range taken {
		dirs[filepath.Dir(t.dst)] = struct{}{}
	}
	arrived()
	return s.group.install(s, &installation{files: fresh, dirs: dirs})
}

// name gives a staged file its final name and notes the directories whose names have changed.
func (s *Store) name(ctx context.Context, t staged, dirs map[string]struct{}) error {
	shard := filepath.Dir(t.dst)
	switch err := os.Mkdir(shard, dirPerm); {
	case err == nil:
		dirs[filepath.Dir(shard)] = struct{}{}
	case !errors.Is(err, fs.ErrExist):
		return s.explain(err)
	}
	if t.file.Digest == "" { // the manifest, which damaged or not is replaced by its only right content
		if err := os.Rename(t.tmp, t.dst); err != nil {
			return s.explain(err)
		}
		s.faults("manifest-stored")
		return nil
	}
	for range 3 {
		err := renameNew(t.tmp, t.dst)
		if err == nil {
			s.faults("blob-stored")
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return s.explain(err)
		}
		if err = s.check(ctx, t.file); err == nil || !errors.Is(err, artifact.ErrNotFound) {
			return err // another process was faster; or the store can't be read
		}
	}
	return fmt.Errorf("store at %s: %s is damaged again and again while it is stored", s.dir, t.dst)
}

// write puts raw at dst durably, whole or not at all.
func (s *Store) write(raw []byte, dst string) error {
	t := staged{tmp: s.temp(), dst: dst}
	defer t.discard()
	err := os.WriteFile(t.tmp, raw, blobPerm)
	if err == nil {
		err = syncFile(t.tmp)
	}
	if err == nil {
		err = mkdir(filepath.Dir(dst))
	}
	if err == nil {
		err = os.Rename(t.tmp, dst)
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
