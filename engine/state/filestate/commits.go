package filestate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/state"
)

var _ state.Amender = (*lease)(nil)

// commitRecord is one line of the commits: what one write changed. Base is the checksum of the state file that it stands
// on. A commit on another base is a leftover of one that was folded into the present state file, or of a state file that
// was replaced: it says nothing.
type commitRecord struct {
	Approval  json.RawMessage              `json:"approval,omitempty"`
	AuditHead digest.Digest                `json:"audit_head,omitempty"`
	Base      digest.Digest                `json:"base"`
	Entries   map[addr.Addr]*state.Entry   `json:"entries,omitempty"`
	Failures  map[addr.Addr]*state.Failure `json:"failures,omitempty"`
	LastRun   *state.Run                   `json:"last_run,omitempty"`
	Serial    int64                        `json:"serial"`
}

// A line is {"checksum":"sha256:…","commit":{…}}, the checksum being of the commit's bytes.
const (
	commitStart = `{"checksum":"`
	commitMid   = `","commit":`
	commitEnd   = `}`
	commitHead  = len(commitStart) + sumLen + len(commitMid)
)

// foldAbove is the size from which the commits are folded into the state file, if they are larger than that: then all
// folding of a run together costs a few times its last one.
const foldAbove = 4 << 20

// encodeCommit returns the line of a commit.
func encodeCommit(r commitRecord) ([]byte, error) {
	raw, err := digest.Canonical(r)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written: %w", err)
	}
	line := make([]byte, 0, commitHead+len(raw)+len(commitEnd))
	line = append(append(append(line, commitStart...), digest.Bytes(raw)...), commitMid...)
	return append(append(line, raw...), commitEnd...), nil
}

// errTorn says that a line may be what a crash left of a write.
var errTorn = errors.New("it was cut short")

// decodeCommit reads a line.
func decodeCommit(line []byte) (commitRecord, error) {
	var r commitRecord
	if len(line) < commitHead || !bytes.HasPrefix(line, []byte(commitStart)) || !bytes.HasSuffix(line, []byte(commitEnd)) || !json.Valid(line) {
		return r, errTorn
	}
	raw := line[commitHead : len(line)-len(commitEnd)]
	if digest.Digest(line[len(commitStart):][:sumLen]) != digest.Bytes(raw) {
		return r, errors.New("its content does not have its checksum: it was edited by hand")
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("it is no commit: %w", err)
	}
	for a, e := range r.Entries {
		if e != nil && e.Address != a {
			return r, fmt.Errorf("its entry %s is of another address", a)
		}
	}
	for a, f := range r.Failures {
		if f != nil && f.Address != a {
			return r, fmt.Errorf("its failure %s is of another address", a)
		}
	}
	return r, nil
}

// replay applies the commits that stand on base to snap. The last line may be torn: its writer was killed, or the power
// failed, before it was acknowledged.
func replay(snap *state.Snapshot, base digest.Digest, raw []byte) error {
	for number := 1; len(raw) > 0; number++ {
		line, rest, whole := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		if !whole {
			return nil
		}
		r, err := decodeCommit(line)
		switch {
		case errors.Is(err, errTorn) && len(rest) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("line %d: %w", number, err)
		case r.Base != base:
			continue
		case r.Serial != snap.Serial+1:
			return fmt.Errorf("line %d: it is of serial %d and must be of %d: lines were taken out, added or moved",
				number, r.Serial, snap.Serial+1)
		}
		snap.Approval, snap.AuditHead, snap.LastRun, snap.Serial = r.Approval, r.AuditHead, r.LastRun, r.Serial
		(&state.Delta{Entries: r.Entries, Failures: r.Failures}).Apply(snap)
	}
	return nil
}

// files is the content of the state file and of the commits.
type files struct {
	state, commits []byte
	info           fs.FileInfo // of the state file
}

// load reads both files, as they were at one moment: the commits are folded by replacing the state file first.
func (s *Store) load() (files, error) {
	for {
		f, err := os.Open(s.file(stateFile))
		if err != nil {
			return files{}, err
		}
		got, err := s.loadFrom(f)
		f.Close()
		if err != nil {
			return files{}, err
		}
		now, err := os.Stat(s.file(stateFile))
		if err == nil && os.SameFile(now, got.info) {
			return got, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return files{}, err
		}
	}
}

func (s *Store) loadFrom(f *os.File) (files, error) {
	info, err := f.Stat()
	if err != nil {
		return files{}, err
	}
	buf := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := buf.ReadFrom(f); err != nil {
		return files{}, err
	}
	commits, err := os.ReadFile(s.file(commitsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return files{}, err
	}
	return files{state: buf.Bytes(), commits: commits, info: info}, nil
}

// checksum returns the one that a state file names; Decode has checked it.
func checksum(raw []byte) digest.Digest {
	return digest.Digest(raw[len(checkStart):][:sumLen])
}

// Amend implements state.Amender. The commits of a lease stand on a state file that it wrote itself, so that what a killed
// holder left is folded by the first write of the next one.
func (l *lease) Amend(ctx context.Context, s *state.Snapshot, d *state.Delta) error {
	if err := l.owns(s); err != nil {
		return err
	}
	l.mu.Lock()
	base, wrote := l.seen.base, l.wrote && l.seen.known
	l.mu.Unlock()
	if !wrote {
		return state.ErrWhole
	}
	line, err := encodeCommit(commitRecord{Approval: s.Approval, AuditHead: s.AuditHead, Base: base, Entries: d.Entries,
		Failures: d.Failures, LastRun: s.LastRun, Serial: s.Serial + 1})
	if err != nil {
		return err
	}
	err = l.guard(ctx, func() error { return l.appendCommit(line, base, s) })
	if errors.Is(err, state.ErrWhole) {
		return err
	}
	if err != nil {
		return l.explain(err)
	}
	l.faults.Hit(fault.StateAppended)
	s.Serial++
	return nil
}

// appendCommit adds a line; within a guard.
func (l *lease) appendCommit(line []byte, base digest.Digest, s *state.Snapshot) error {
	info, err := os.Stat(l.file(stateFile))
	if err != nil || !l.seen.still(info) || l.seen.base != base || l.seen.serial != s.Serial || l.seen.lineage != s.Lineage {
		return state.ErrWhole // Write says what is wrong, if anything is
	}
	if l.commits == nil {
		if l.commits, err = openLog(l.file(commitsFile)); err != nil {
			return err
		}
	}
	if l.seen.live() && l.commits.size > max(foldAbove, info.Size()) {
		return state.ErrWhole
	}
	if !l.seen.live() {
		if err := l.commits.empty(); err != nil {
			return err
		}
	}
	if err := l.commits.append(line); err != nil {
		return err
	}
	l.seen.serial++
	return nil
}

// dropCommits empties the commits after they were folded. If it is not done, or undone by a power cut, they stand on a
// base that is gone.
func (l *lease) dropCommits() error {
	if l.commits != nil {
		return l.commits.empty()
	}
	if err := os.Truncate(l.file(commitsFile), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fold brings what the commits hold into the state file; within a guard.
func (l *lease) fold(ctx context.Context) error {
	if !l.wrote || !l.seen.live() {
		return nil
	}
	now, err := l.current(ctx)
	if err != nil {
		return err
	}
	snap, err := l.Read(ctx)
	if err != nil {
		return err
	}
	raw, err := l.encode(snap)
	if err != nil {
		return err
	}
	return l.replace(ctx, raw, now, *snap)
}
