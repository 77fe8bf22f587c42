package filestate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strconv"

	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/state"
)

// stored is what is known of the state file. It stays true while the file is the same and of the same time.
type stored struct {
	known   bool
	info    fs.FileInfo   // nil: there is no file
	base    digest.Digest // checksum of the file
	filed   int64         // serial in the file
	lineage string
	serial  int64 // in the file, or of the last commit on it
}

// live reports whether there are commits that the file does not hold.
func (a stored) live() bool { return a.serial != a.filed }

func (a stored) still(info fs.FileInfo) bool {
	if !a.known || a.info == nil || info == nil {
		return a.known && a.info == nil && info == nil
	}
	return os.SameFile(a.info, info) && a.info.Size() == info.Size() && a.info.ModTime().Equal(info.ModTime())
}

// Write implements state.Lease. Encoding, which takes longest, is done before anybody else has to wait.
func (l *lease) Write(ctx context.Context, s *state.Snapshot) error {
	if err := l.owns(s); err != nil {
		return err
	}
	next := *s
	next.FormatVersion = state.FormatVersion
	next.Serial++
	if next.Lineage == "" {
		next.Lineage = rand.Text()
	}
	raw, err := l.encode(&next)
	if err != nil {
		return err
	}
	err = l.guard(ctx, func() error {
		now, err := l.current(ctx)
		if err != nil {
			return err
		}
		if now.serial != s.Serial || now.lineage != s.Lineage {
			return fmt.Errorf("%w: serial %d of lineage %q was to be replaced, and serial %d of lineage %q is stored; nothing was written: plan again",
				state.ErrStale, s.Serial, s.Lineage, now.serial, now.lineage)
		}
		return l.replace(ctx, raw, now, next)
	})
	if err != nil {
		return l.explain(err)
	}
	s.FormatVersion, s.Serial, s.Lineage = next.FormatVersion, next.Serial, next.Lineage
	return nil
}

// encode keeps what it has encoded for the next write.
func (l *lease) encode(s *state.Snapshot) ([]byte, error) {
	l.encoding.Lock()
	defer l.encoding.Unlock()
	return l.encoder.encode(s)
}

// Force implements state.Forcer. What it replaces is kept as state.json.damaged if it can't be read.
func (l *lease) Force(ctx context.Context, s *state.Snapshot) error {
	if err := l.owns(s); err != nil {
		return err
	}
	next := *s
	next.FormatVersion = state.FormatVersion
	if next.Lineage == "" {
		next.Lineage = rand.Text()
	}
	err := l.guard(ctx, func() error {
		now, err := l.current(ctx)
		if err != nil && !errors.Is(err, state.ErrDamaged) {
			return err
		}
		if err != nil {
			now = stored{}
			if err := l.keepDamaged(stateFile, commitsFile); err != nil {
				return err
			}
		}
		next.Serial = max(s.Serial, now.serial, l.lastSerial(ctx)) + 1
		raw, err := Encode(&next)
		if err != nil {
			return err
		}
		return l.replace(ctx, raw, now, next)
	})
	if err != nil {
		return l.explain(err)
	}
	s.FormatVersion, s.Serial, s.Lineage = next.FormatVersion, next.Serial, next.Lineage
	return nil
}

// owns refuses the snapshot of another pipeline or environment.
func (l *lease) owns(s *state.Snapshot) error {
	if s.Pipeline != l.pipeline || s.Environment != l.environment {
		return fmt.Errorf("the snapshot is of pipeline %q in environment %q, this is the state of %q in %q: nothing was written",
			s.Pipeline, s.Environment, l.pipeline, l.environment)
	}
	return nil
}

// current says what is stored. It reads the file only if it is not the one that was read or written last.
func (l *lease) current(ctx context.Context) (stored, error) {
	info, err := os.Stat(l.file(stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return stored{}, err
	}
	if err != nil {
		info = nil
	}
	if l.seen.still(info) {
		return l.seen, nil
	}
	_, now, err := l.read(ctx)
	if err != nil {
		return stored{}, err
	}
	l.seen = now
	return l.seen, nil
}

// replace puts raw, the encoding of next, in the place of what is stored now, and keeps that in the history.
func (l *lease) replace(ctx context.Context, raw []byte, now stored, next state.Snapshot) error {
	l.seen = stored{}
	rename, err := writeNew(l.file(stateFile), raw)
	if err != nil {
		return err
	}
	if err := l.keep(ctx, now); err != nil {
		_ = os.Remove(l.file(stateFile + tmpSuffix))
		return err
	}
	if err := rename(); err != nil {
		return err
	}
	info, err := os.Stat(l.file(stateFile))
	if err != nil {
		return err
	}
	if now.live() {
		l.faults.Hit(fault.StateFolded)
	}
	l.seen = stored{known: true, info: info, base: checksum(raw), lineage: next.Lineage, serial: next.Serial, filed: next.Serial}
	l.wrote = true
	return l.dropCommits()
}

// keepDamaged copies the files of a damaged state to further names, for whoever wants to find out what happened.
func (l *lease) keepDamaged(names ...string) error {
	for _, name := range names {
		raw, err := os.ReadFile(l.file(name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 && name == commitsFile {
			continue
		}
		if err != nil {
			return err
		}
		rename, err := writeNew(l.file(name+".damaged"), raw)
		if err != nil {
			return err
		}
		if err := rename(); err != nil {
			return err
		}
	}
	return nil
}

// lastSerial returns the highest serial of which there is a trace: in the history, or in what is left of the file. One
// that is out of all proportion is damage, too.
func (l *lease) lastSerial(ctx context.Context) int64 {
	var last int64
	if saved, err := l.History(ctx); err == nil && len(saved) > 0 {
		last = saved[len(saved)-1].Serial
	}
	raw, _ := os.ReadFile(l.file(stateFile))
	commits, _ := os.ReadFile(l.file(commitsFile))
	found := serialOfCommit.FindAllSubmatch(commits, -1)
	if m := serialField.FindSubmatch(raw); m != nil {
		found = append(found, m)
	}
	for _, m := range found {
		if n, err := strconv.ParseInt(string(m[1]), 10, 64); err == nil && n < math.MaxInt64/2 {
			last = max(last, n)
		}
	}
	return last
}

var (
	serialField    = regexp.MustCompile(`"serial":\s*(\d{1,18})\b`)
	serialOfCommit = regexp.MustCompile(`(?m)"serial":(\d{1,18})}}$`)
)
