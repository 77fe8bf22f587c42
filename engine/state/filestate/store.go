package filestate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"pipe/engine/fault"
	"pipe/engine/state"
)

var _ state.Store = (*Store)(nil)

// The permissions of what the store creates: state has messages about data, which are private.
const (
	dirPerm  = 0o700
	filePerm = 0o600
)

// Store keeps the state of one pipeline in one environment.
type Store struct {
	dir                   string // absolute
	pipeline, environment string
	now                   func() time.Time
	faults                *fault.Set
	patience              time.Duration // with a holder in the middle of a write, when its lock is broken
}

// Option changes how a store works.
type Option func(*Store)

// WithClock makes the store read the time from now.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// WithFaults arms the fault-injection points of the journal and the outbox.
func WithFaults(f *fault.Set) Option { return func(s *Store) { s.faults = f } }

// Open returns the state of a pipeline in an environment below dir, which need not exist.
func Open(dir, pipeline, environment string, options ...Option) (*Store, error) {
	for _, part := range []struct{ what, name string }{{"pipeline", pipeline}, {"environment", environment}} {
		if !validName.MatchString(part.name) || len(part.name) > 100 {
			return nil, fmt.Errorf("%q cannot name the directory of a state: rename the %s; use up to 100 letters, digits, _, - and dots, and do not start with a dot", part.name, part.what)
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state in %s: %w", dir, err)
	}
	s := &Store{dir: filepath.Join(abs, pipeline, environment), pipeline: pipeline, environment: environment,
		now: time.Now, patience: 5 * time.Second}
	for _, o := range options {
		o(s)
	}
	return s, nil
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

func (s *Store) file(name string) string { return filepath.Join(s.dir, name) }

// Read implements state.Store.
func (s *Store) Read(ctx context.Context) (*state.Snapshot, error) {
	snap, _, err := s.read(ctx)
	return snap, err
}

// read returns what is stored, and where it was found.
func (s *Store) read(ctx context.Context) (*state.Snapshot, stored, error) {
	if ctx.Err() != nil {
		return nil, stored{}, context.Cause(ctx)
	}
	got, err := s.load()
	if errors.Is(err, fs.ErrNotExist) {
		if saved, herr := s.History(ctx); herr == nil && len(saved) > 0 {
			return nil, stored{}, s.damage("it is missing, though it was written before")
		}
		return state.New(s.pipeline, s.environment), stored{known: true}, nil
	}
	if err != nil {
		return nil, stored{}, fmt.Errorf("the state cannot be read: %w", err)
	}
	snap, err := Decode(got.state)
	if err == nil && (snap.Pipeline != s.pipeline || snap.Environment != s.environment) {
		err = fmt.Errorf("it is the state of pipeline %q in environment %q, copied to the place of another", snap.Pipeline, snap.Environment)
	}
	if errors.Is(err, errNewer) {
		return nil, stored{}, fmt.Errorf("the state %s: %w", s.file(stateFile), err)
	}
	if err != nil {
		return nil, stored{}, s.damage(err.Error())
	}
	at := stored{known: true, info: got.info, base: checksum(got.state), filed: snap.Serial, lineage: snap.Lineage}
	if err := replay(snap, at.base, got.commits); err != nil {
		return nil, stored{}, fmt.Errorf("%w: %s: %w; restore the serial %d that they follow with: pipe state push %s (what they tell of is found again in the store)",
			state.ErrDamaged, s.file(commitsFile), err, at.filed, s.file(stateFile))
	}
	at.serial = snap.Serial
	return snap, at, nil
}

// damage returns the error about a damaged state, with the command that restores the last good serial.
func (s *Store) damage(what string) error {
	path := s.file(stateFile)
	saved, _ := s.History(context.Background())
	for i := len(saved) - 1; i >= 0; i-- {
		if raw, err := os.ReadFile(saved[i].Path); err == nil {
			if _, err := Decode(raw); err == nil {
				return fmt.Errorf("%w: %s: %s; restore the last good serial, %d, with: pipe state push %s",
					state.ErrDamaged, path, what, saved[i].Serial, saved[i].Path)
			}
		}
	}
	return fmt.Errorf("%w: %s: %s; no earlier serial is kept: restore the file from a backup, or move it away to start anew (results are found again in the store)",
		state.ErrDamaged, path, what)
}

// Audit implements state.Store. What is appended after the call is not read.
func (s *Store) Audit(ctx context.Context) (io.ReadCloser, error) {
	f, err := os.Open(s.file(auditFile))
	if errors.Is(err, fs.ErrNotExist) {
		return section{SectionReader: io.NewSectionReader(bytes.NewReader(nil), 0, 0), Closer: io.NopCloser(nil)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the audit log cannot be read: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the audit log cannot be read: %w", err)
	}
	return section{SectionReader: io.NewSectionReader(f, 0, fi.Size()), Closer: f}, nil
}

// section is part of a file; it can be read from its end, so that the last record is found quickly.
type section struct {
	*io.SectionReader
	io.Closer
}

// explain turns an error of writing into one that says what to do.
func (s *Store) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, state.ErrLost), errors.Is(err, state.ErrStale), errors.Is(err, state.ErrDamaged):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk of the state %s is full: free space and apply again; nothing was recorded: %w", s.dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the state in %s cannot be written to: check its owner and permissions; nothing was recorded: %w", s.dir, err)
	}
	return fmt.Errorf("state in %s: %w", s.dir, err)
}
