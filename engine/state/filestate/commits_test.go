package filestate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/addr"
	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

// committed returns a state with three commits on its file, and its lease.
func committed(t *testing.T) (*Store, *lease, *state.Snapshot) {
	t.Helper()
	s, l := store(t)
	snap := statetest.Sample(2)
	l.put(t, snap)
	for i := range 3 {
		amendWith(t, l, snap, strings.Repeat("x", i+1))
	}
	return s, l, snap
}

func amendWith(t *testing.T, l *lease, snap *state.Snapshot, name string) {
	t.Helper()
	a := addr.New(addr.Stage, name)
	d := &state.Delta{Entries: map[addr.Addr]*state.Entry{a: {Address: a, Type: "exec", Bytes: int64(len(name)),
		Config: []byte("{}"), Fingerprint: state.Fingerprint{Config: []byte("{}")}}}}
	d.Apply(snap)
	if err := l.Amend(t.Context(), snap, d); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, s *Store, want *state.Snapshot) {
	t.Helper()
	got, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Entries, got.Entries); diff != "" || got.Serial != want.Serial {
		t.Fatalf("serial %d, want %d: %s", got.Serial, want.Serial, diff)
	}
}

// kill ends a lease as a killed process does: nothing is folded.
func kill(l *lease) { l.free() }

// TestCommitsOfTheKilled leaves commits with torn ends behind, which the next lease folds.
func TestCommitsOfTheKilled(t *testing.T) {
	for name, tail := range map[string]string{"none": "", "half a line": `{"checksum":"sha256:00`,
		"a line with a hole": commitStart + strings.Repeat("\x00", 500) + "\n", "a line that was cut": `{"checksum":"` + "\n"} {
		t.Run(name, func(t *testing.T) {
			s, l, snap := committed(t)
			kill(l)
			path := s.file(commitsFile)
			writeFileAt(t, path, append(readFile(t, path), tail...))
			check(t, s, snap)
			l = take(t, s)
			l.put(t, snap)
			if raw := readFile(t, path); len(raw) != 0 {
				t.Errorf("%d bytes of commits are left", len(raw))
			}
			last, err := Decode(readFile(t, filepath.Join(s.file(historyDir), "00000004-last.json")))
			if err != nil || len(last.Entries) != 5 {
				t.Errorf("what the killed lease wrote is not in the history: %v", err)
			}
			amendWith(t, l, snap, "next")
			check(t, s, snap)
			l.give(t)
			check(t, s, snap)
		})
	}
}

// TestCommitsAreFolded ends a lease without a Write: older readers know state.json alone.
func TestCommitsAreFolded(t *testing.T) {
	s, l, snap := committed(t)
	l.give(t)
	got, err := Decode(readFile(t, s.file(stateFile)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(snap.Entries, got.Entries); diff != "" || got.Serial != snap.Serial {
		t.Errorf("serial %d: %s", got.Serial, diff)
	}
}

// TestFoldedCommitsSayNothing undoes the emptying of the commits, as a power cut may.
func TestFoldedCommitsSayNothing(t *testing.T) {
	s, l, snap := committed(t)
	left := readFile(t, s.file(commitsFile))
	l.give(t)
	l = take(t, s)
	l.put(t, snap)
	writeFileAt(t, s.file(commitsFile), left)
	check(t, s, snap)
	amendWith(t, l, snap, "next")
	check(t, s, snap)
	if bytes.Contains(readFile(t, s.file(commitsFile)), left) {
		t.Error("the leftover stands before what was committed")
	}
	l.give(t)
}

// TestDamagedCommits edits the commits in ways that no crash does.
func TestDamagedCommits(t *testing.T) {
	for name, edit := range map[string]func(lines [][]byte) [][]byte{
		"edited in the middle": func(lines [][]byte) [][]byte {
			lines[1] = bytes.Replace(lines[1], []byte(`"bytes":2`), []byte(`"bytes":7`), 1)
			return lines
		},
		"edited at the end": func(lines [][]byte) [][]byte {
			lines[2] = bytes.Replace(lines[2], []byte(`"bytes":3`), []byte(`"bytes":7`), 1)
			return lines
		},
		"taken out":   func(lines [][]byte) [][]byte { return append(lines[:1:1], lines[2:]...) },
		"cut in half": func(lines [][]byte) [][]byte { lines[0] = lines[0][:50]; return lines },
	} {
		t.Run(name, func(t *testing.T) {
			s, l, _ := committed(t)
			kill(l)
			path := s.file(commitsFile)
			raw := readFile(t, path)
			next := append(bytes.Join(edit(bytes.Split(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"))), []byte("\n")), '\n')
			if bytes.Equal(raw, next) {
				t.Fatal("nothing was edited")
			}
			writeFileAt(t, path, next)
			_, err := s.Read(t.Context())
			if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "pipe state push "+s.file(stateFile)) {
				t.Fatalf("error %v", err)
			}
			saved, err := Decode(readFile(t, s.file(stateFile)))
			if err != nil {
				t.Fatal(err)
			}
			l = take(t, s)
			if err := l.Force(t.Context(), saved); err != nil || saved.Serial != 5 {
				t.Fatalf("serial %d, %v: 4 may have been planned against", saved.Serial, err)
			}
			check(t, s, saved)
			if !bytes.Equal(readFile(t, path+".damaged"), next) {
				t.Error("the damaged commits are lost")
			}
			l.give(t)
		})
	}
}

// TestStateFileReplaced puts another state file in the place of the one that commits stand on.
func TestStateFileReplaced(t *testing.T) {
	s, l, snap := committed(t)
	other := statetest.Sample(1)
	other.Serial, other.Lineage = 70, "another"
	tmp := s.file("other")
	writeFileAt(t, tmp, encoded(t, other))
	if err := os.Rename(tmp, s.file(stateFile)); err != nil {
		t.Fatal(err)
	}
	if err := l.Amend(t.Context(), snap, &state.Delta{}); !errors.Is(err, state.ErrWhole) {
		t.Errorf("error %v", err)
	}
	if err := l.Write(t.Context(), snap); !errors.Is(err, state.ErrStale) {
		t.Errorf("error %v", err)
	}
	check(t, s, other)
}

// TestFoldWhenLarge writes until the store asks for the whole.
func TestFoldWhenLarge(t *testing.T) {
	s, l, snap := committed(t)
	a := addr.New(addr.Stage, "large")
	d := &state.Delta{Entries: map[addr.Addr]*state.Entry{a: {Address: a, To: strings.Repeat("x", foldAbove/2),
		Config: []byte("{}"), Fingerprint: state.Fingerprint{Config: []byte("{}")}}}}
	d.Apply(snap)
	for i := 0; ; i++ {
		err := l.Amend(t.Context(), snap, d)
		if errors.Is(err, state.ErrWhole) && i == 2 {
			break
		}
		if err != nil || i > 2 {
			t.Fatal(i, err)
		}
	}
	l.put(t, snap)
	if raw := readFile(t, s.file(commitsFile)); len(raw) != 0 {
		t.Errorf("%d bytes of commits are left", len(raw))
	}
	check(t, s, snap)
	l.give(t)
}
