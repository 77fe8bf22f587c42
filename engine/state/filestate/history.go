package filestate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"

	"pipe/engine/state"
)

// keptSerials is how many serials the history keeps, and of how many leases it keeps the last one. The second is what
// one returns to: a run of a thousand nodes writes a thousand serials.
const keptSerials = 10

// The two kinds of files in the history.
const (
	eachSerial = ".json"
	lastSerial = "-last.json" // of a lease
)

var historyName = regexp.MustCompile(`^(\d{8,18})(-last\.json|\.json)$`)

// past is one file of the history.
type past struct {
	name, kind string
	serial     int64
}

// past lists the history, oldest first; of one serial, what is kept longest comes last.
func (s *Store) past() ([]past, error) {
	list, err := os.ReadDir(s.file(historyDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []past
	for _, e := range list {
		m := historyName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			continue
		}
		all = append(all, past{name: e.Name(), kind: m[2], serial: n})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].serial != all[j].serial {
			return all[i].serial < all[j].serial
		}
		return all[i].kind == eachSerial && all[j].kind == lastSerial
	})
	return all, nil
}

// History implements state.Store.
func (s *Store) History(context.Context) ([]state.Saved, error) {
	all, err := s.past()
	if err != nil {
		return nil, fmt.Errorf("the history of the state cannot be read: %w", err)
	}
	var saved []state.Saved
	for _, p := range all {
		at := state.Saved{Serial: p.serial, Path: filepath.Join(s.file(historyDir), p.name)}
		if n := len(saved); n > 0 && saved[n-1].Serial == p.serial {
			saved[n-1] = at
		} else {
			saved = append(saved, at)
		}
	}
	return saved, nil
}

// keep puts what is stored now into the history before it is replaced. A further name is enough: no file of the state is
// ever written to again.
func (l *lease) keep(ctx context.Context, now stored) error {
	if now.info == nil {
		return nil
	}
	if err := mkdir(l.file(historyDir)); err != nil {
		return err
	}
	if !l.wrote && now.live() {
		return l.keepKilled(ctx)
	}
	kind := eachSerial
	if !l.wrote {
		kind = lastSerial // of the lease before, which may have been killed
	}
	path := l.kept(now.filed, kind)
	err := os.Link(l.file(stateFile), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = l.copyState(path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return l.prune()
}

// keepKilled puts into the history what the holder before had committed when it was killed.
func (l *lease) keepKilled(ctx context.Context) error {
	last, err := l.Read(ctx)
	if err != nil {
		return err
	}
	raw, err := Encode(last)
	if err != nil {
		return err
	}
	rename, err := writeNew(l.kept(last.Serial, lastSerial), raw)
	if err == nil {
		err = rename()
	}
	if err != nil {
		return err
	}
	return l.prune()
}

// keepLast copies the state at the end of a lease, so that a hand that edits state.json later does not edit the copy.
func (l *lease) keepLast() error {
	if !l.wrote {
		return nil
	}
	if err := mkdir(l.file(historyDir)); err != nil {
		return err
	}
	if err := l.copyState(l.kept(l.seen.serial, lastSerial)); err != nil {
		return err
	}
	return l.prune()
}

func (l *lease) kept(serial int64, kind string) string {
	return filepath.Join(l.file(historyDir), fmt.Sprintf("%08d%s", serial, kind))
}

func (l *lease) copyState(path string) error {
	raw, err := os.ReadFile(l.file(stateFile))
	if err != nil {
		return err
	}
	rename, err := writeNew(path, raw)
	if err != nil {
		return err
	}
	return rename()
}

// prune drops what is too old.
func (l *lease) prune() error {
	all, err := l.past()
	if err != nil {
		return err
	}
	count := map[string]int{}
	for i := len(all) - 1; i >= 0; i-- {
		if count[all[i].kind]++; count[all[i].kind] > keptSerials {
			if err := os.Remove(filepath.Join(l.file(historyDir), all[i].name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
