package filestore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

var (
	_ artifact.Store    = (*Store)(nil)
	_ artifact.Comparer = (*Store)(nil)
	_ artifact.Keeper   = (*Store)(nil)
)

// The permissions of what the store creates. Directories are private; blobs are readable by all because a materialised
// hard link has the permissions of its blob.
const (
	dirPerm  = 0o700
	blobPerm = 0o444
)

// stampUnix is the modification time of every whole blob: 2000-01-01T00:00:00Z.
const stampUnix = 946684800

// The directories below the root.
const (
	blobs     = "blobs"
	manifests = "manifests"
	cache     = "cache"
	temporary = "tmp"
	damaged   = "damaged"
)

// Store is an artifact store in a directory.
type Store struct {
	dir     string // as given, absolute, for messages
	root    string // dir/v1
	now     func() time.Time
	faults  func(point string)
	grace   time.Duration
	noClone atomic.Bool // the file system refused a reflink once
	group   *group
}

// Option changes how a store works.
type Option func(*Store)

// WithFaults has f called at the named points of Commit, so that tests can end the process there: "blob-taken",
// "blob-stored", "manifest-stored".
func WithFaults(f func(point string)) Option { return func(s *Store) { s.faults = f } }

// WithGrace makes Sweep keep artifacts that were stored or looked up less than d ago, by the clock now. It protects
// the artifacts of runs that have not committed their entries yet, when the store is shared by several states.
func WithGrace(d time.Duration, now func() time.Time) Option {
	return func(s *Store) { s.grace, s.now = d, now }
}

// Open returns the store in dir, which need not exist. It removes what killed processes left half-written.
func Open(dir string, options ...Option) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store at %s: %w", dir, err)
	}
	s := &Store{dir: abs, root: filepath.Join(abs, "v1"), now: time.Now, faults: func(string) {}, group: newGroup()}
	for _, o := range options {
		o(s)
	}
	switch fi, err := os.Stat(abs); {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("the store at %s cannot be read: %w", abs, err)
	case !fi.IsDir():
		return nil, fmt.Errorf("the store at %s is no directory: move that file away or point store at another path", abs)
	}
	s.clearTemporary()
	return s, nil
}

// path returns the place of the content d, which must be a checked digest.
func (s *Store) path(kind string, d digest.Digest) string {
	h := d.Hex()
	return filepath.Join(s.root, kind, h[:2], h)
}

// temp returns a new name below tmp.
func (s *Store) temp() string { return filepath.Join(s.root, temporary, rand.Text()) }

// prepare makes the directories; the caller is about to write.
func (s *Store) prepare() error {
	for _, kind := range []string{blobs, manifests, cache, temporary} {
		if err := mkdir(filepath.Join(s.root, kind)); err != nil {
			return s.explain(err)
		}
	}
	return nil
}

// explain turns an error of writing to the store into one that says what to do.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the store at %s is full: free space or point store at another disk; nothing was recorded: %w", s.dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the store at %s cannot be written to: check its owner and permissions, or point store at another path; nothing was recorded: %w", s.dir, err)
	}
	return fmt.Errorf("store at %s: %w", s.dir, err)
}

// clearTemporary empties tmp. Everything in tmp is written under the shared lock, so what lies there while the lock
// can be had alone belongs to processes that are gone. If it can't be had, a later Open does it.
func (s *Store) clearTemporary() {
	tmp := filepath.Join(s.root, temporary)
	if list, err := os.ReadDir(tmp); err != nil || len(list) == 0 {
		return
	}
	unlock, err := s.tryLock(syscall.LOCK_EX)
	if err != nil {
		return
	}
	defer unlock()
	list, _ := os.ReadDir(tmp)
	for _, e := range list {
		_ = os.RemoveAll(filepath.Join(tmp, e.Name()))
	}
}
