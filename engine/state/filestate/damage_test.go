package filestate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

var pushCommand = regexp.MustCompile(`restore the last good serial, (\d+), with: pipe state push (\S+)$`)

// TestDamage damages a state in several ways and follows the advice of the error.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(raw []byte) []byte // nil: the file is gone
		what   string
	}{
		"cut in half":     {func(raw []byte) []byte { return raw[:len(raw)/2] }, "does not have its checksum"},
		"empty":           {func([]byte) []byte { return []byte{} }, "does not begin with its checksum"},
		"edited":          {func(raw []byte) []byte { return bytes.Replace(raw, []byte("12345"), []byte("54321"), 1) }, "edited by hand"},
		"merge conflict":  {func(raw []byte) []byte { return append([]byte("<<<<<<< HEAD\n"), raw...) }, "merged"},
		"gone":            {nil, "it is missing, though it was written before"},
		"another's":       {func([]byte) []byte { return encoded(t, state.New("other", "prod")) }, `pipeline "other" in environment "prod"`},
		"no JSON":         {func([]byte) []byte { return withSum("  nonsense\n}\n") }, "not the JSON of a state"},
		"another address": {func([]byte) []byte { return withSum("  \"entries\": {\"stage.a\": {\"address\": \"stage.b\"}}\n}\n") }, "of another address"},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := store(t)
			snap := statetest.Sample(2)
			l.put(t, snap)
			l.put(t, snap)
			l.give(t)
			path := s.file(stateFile)
			if c.damage == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				writeFileAt(t, path, c.damage(readFile(t, path)))
			}
			_, err := s.Read(t.Context())
			if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.what) {
				t.Fatalf("error %v", err)
			}
			advice := pushCommand.FindStringSubmatch(err.Error())
			if advice == nil || advice[1] != "2" {
				t.Fatalf("error %q has no good advice", err)
			}
			l = take(t, s)
			if err := l.Write(t.Context(), snap); !errors.Is(err, state.ErrDamaged) {
				t.Errorf("a damaged state was written over: %v", err)
			}
			saved, err := Decode(readFile(t, advice[2]))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Force(t.Context(), saved); err != nil {
				t.Fatal(err)
			}
			got, err := s.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			snap.Serial = 3
			if diff := cmp.Diff(snap, got); diff != "" {
				t.Error(diff)
			}
			if c.damage != nil {
				readFile(t, path+".damaged")
			}
		})
	}
}

func encoded(t *testing.T, s *state.Snapshot) []byte {
	t.Helper()
	raw, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func withSum(rest string) []byte {
	return []byte(checkStart + string(sum([]byte(rest))) + checkEnd + rest)
}

// TestForceIsAboveWhatIsDamaged has serial 4 damaged while only 3 is kept: 4 may have been planned against.
func TestForceIsAboveWhatIsDamaged(t *testing.T) {
	s, l := store(t)
	snap := statetest.Sample(1)
	for range 4 {
		l.put(t, snap)
	}
	raw := readFile(t, s.file(stateFile))
	writeFileAt(t, s.file(stateFile), append(raw, "x"...))
	_, err := s.Read(t.Context())
	advice := pushCommand.FindStringSubmatch(err.Error())
	if advice == nil || advice[1] != "3" {
		t.Fatalf("error %v", err)
	}
	saved, err := Decode(readFile(t, advice[2]))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Force(t.Context(), saved); err != nil || saved.Serial != 5 {
		t.Errorf("serial %d, %v, want 5", saved.Serial, err)
	}
}

func TestDamageWithoutHistory(t *testing.T) {
	s, l := store(t)
	writeFileAt(t, s.file(stateFile), []byte("{}"))
	_, err := s.Read(t.Context())
	if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), "no earlier serial is kept") {
		t.Errorf("error %v", err)
	}
	if err := l.Force(t.Context(), statetest.Sample(1)); err != nil {
		t.Error(err)
	}
}

func TestNewer(t *testing.T) {
	s, l := store(t)
	for _, rest := range []string{"  \"format_version\": 2,\n  \"pipeline\": \"sample\"\n}\n", "  \"format_version\": 2,\n  \"entries\": \"elsewhere\"\n}\n"} {
		writeFileAt(t, s.file(stateFile), withSum(rest))
		_, err := s.Read(t.Context())
		if err == nil || errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), "newer version of pipe") {
			t.Errorf("error %v", err)
		}
		if err := l.Write(t.Context(), statetest.Sample(1)); err == nil {
			t.Error("the state of a newer version was written over")
		}
		if err := l.Force(t.Context(), statetest.Sample(1)); err == nil {
			t.Error("the state of a newer version was forced over")
		}
	}
}

func TestOpenRefusesNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, ".hidden", "a b", "a\x00", strings.Repeat("x", 101)} {
		if _, err := Open(t.TempDir(), name, "dev"); err == nil {
			t.Errorf("pipeline %q was accepted", name)
		}
		if _, err := Open(t.TempDir(), "sample", name); err == nil {
			t.Errorf("environment %q was accepted", name)
		}
	}
}

// TestPrivate checks what others may read, and that reading leaves no trace.
func TestPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Open(dir, "sample", "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("reading made directories")
	}
	l := take(t, s)
	snap := statetest.Sample(1)
	l.put(t, snap)
	l.put(t, snap)
	if err := l.AppendAudit(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := l.Outbox().Put(t.Context(), "k", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := l.MoveJournal(t.Context(), publish, publish.Instance("x")); err != nil {
		t.Fatal(err)
	}
	l.give(t)
	files := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
		files++
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files, %v", files, err)
	}
}
