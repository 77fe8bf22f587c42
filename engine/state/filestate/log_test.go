package filestate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/stage"
	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

// fill writes a record of each kind.
func fill(t *testing.T, l *lease, key string) {
	t.Helper()
	_, err := l.Journal(publish).Do(t.Context(), key, "intent", func(context.Context, stage.Attempt) (any, error) { return key, nil })
	if err == nil {
		err = l.Outbox().Put(t.Context(), key, []byte(`"`+key+`"`))
	}
	if err == nil {
		err = l.AppendAudit(t.Context(), []byte(`{"k":"`+key+`"}`))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTornLines cuts the last line of every log at every place, as a crash in the middle of a write does.
func TestTornLines(t *testing.T) {
	s, l := store(t)
	fill(t, l, "first")
	l.give(t)
	whole := map[string][]byte{}
	for _, name := range []string{journalFile, outboxFile, auditFile} {
		whole[name] = readFile(t, s.file(name))
	}
	l = take(t, s)
	fill(t, l, "second")
	l.give(t)
	for name, first := range whole {
		full := readFile(t, s.file(name))
		for cut := len(first) + 1; cut < len(full); cut++ {
			if full[cut-1] == '\n' {
				continue
			}
			writeFileAt(t, s.file(name), full[:cut])
			l := take(t, s)
			effects, err1 := l.Journal(publish).Done(t.Context())
			pending, err2 := l.Outbox().Pending(t.Context())
			l.give(t)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatalf("%s cut after %d bytes: %v", name, cut, err)
			}
			got := string(readFile(t, s.file(name)))
			if !strings.HasPrefix(string(full), got) || !strings.HasSuffix(got, "\n") || len(got) < len(first) {
				t.Fatalf("%s cut after %d bytes became %q", name, cut, got)
			}
			if len(effects) == 0 || effects[0].Key != "first" || len(pending) == 0 || pending[0].Key != "first" {
				t.Fatalf("%s cut after %d bytes: effects %v, messages %v", name, cut, effects, pending)
			}
		}
		writeFileAt(t, s.file(name), full)
	}
}

func TestLongTornLine(t *testing.T) {
	s, l := store(t)
	fill(t, l, "first")
	l.give(t)
	first := readFile(t, s.file(auditFile))
	for _, torn := range []int{1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000} {
		writeFileAt(t, s.file(auditFile), append(first, strings.Repeat("x", torn)...))
		take(t, s).give(t)
		if got := readFile(t, s.file(auditFile)); string(got) != string(first) {
			t.Errorf("with a torn line of %d bytes the log became %d bytes, want %d", torn, len(got), len(first))
		}
	}
	writeFileAt(t, s.file(auditFile), []byte("only a torn line"))
	take(t, s).give(t)
	if got := readFile(t, s.file(auditFile)); len(got) != 0 {
		t.Errorf("the log is %q", got)
	}
}

// TestDamagedLines refuses a log with a line that can't be read, naming it: to ignore it might repeat an effect.
func TestDamagedLines(t *testing.T) {
	for name, use := range map[string]func(*lease) error{
		journalFile: func(l *lease) error { _, err := l.Journal(publish).Done(t.Context()); return err },
		outboxFile:  func(l *lease) error { _, err := l.Outbox().Pending(t.Context()); return err },
	} {
		for _, bad := range []string{"nonsense", `{"phase":"unknown"}`, ""} {
			s, l := store(t)
			fill(t, l, "first")
			l.give(t)
			raw := readFile(t, s.file(name))
			lines := strings.Count(string(raw), "\n")
			writeFileAt(t, s.file(name), append(raw, bad+"\n"+string(raw)...))
			err := use(take(t, s))
			if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("%s: line %d:", s.file(name), lines+1)) {
				t.Errorf("%s with the line %q: error %v", name, bad, err)
			}
		}
	}
}

// TestCompaction lets the journal and the outbox grow past the size from which they are rewritten.
func TestCompaction(t *testing.T) {
	s, l := store(t)
	padding := strings.Repeat("x", 60_000)
	j, o := l.Journal(publish), l.Outbox()
	do := func(key string, v any) string {
		raw, err := j.Do(t.Context(), key, padding, func(context.Context, stage.Attempt) (any, error) { return v, nil })
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for i := range 20 {
		key := fmt.Sprint(i)
		do(key, i)
		if err := o.Put(t.Context(), key, []byte(`"`+padding+`"`)); err != nil {
			t.Fatal(err)
		}
		if i%7 != 3 {
			if err := errors.Join(j.Undo(t.Context(), key), o.Settle(t.Context(), []string{key}, "delivered")); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, _ = j.Do(t.Context(), "begun", "begun", func(context.Context, stage.Attempt) (any, error) { return nil, errors.New("no") })
	l.give(t)
	for round := range 2 {
		l = take(t, s)
		j, o = l.Journal(publish), l.Outbox()
		effects, err1 := j.Done(t.Context())
		pending, err2 := o.Pending(t.Context())
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range effects {
			got = append(got, e.Key+"="+string(e.Result))
		}
		for _, p := range pending {
			got = append(got, p.Key)
		}
		if want := "[3=3 10=10 17=17 3 10 17]"; fmt.Sprint(got) != want {
			t.Errorf("round %d: %v, want %s", round, got, want)
		}
		_, err := j.Do(t.Context(), "begun", "again", func(_ context.Context, at stage.Attempt) (any, error) {
			if !at.Again || string(at.Intent) != `"begun"` {
				t.Errorf("attempt %+v", at)
			}
			return nil, errors.New("no")
		})
		if err == nil {
			t.Error("no error")
		}
		if err := o.Put(t.Context(), "1", []byte(`"once more"`)); err != nil {
			t.Fatal(err)
		}
		l.give(t)
		for _, name := range []string{journalFile, outboxFile} {
			if size := len(readFile(t, s.file(name))); size > 400_000 {
				t.Errorf("%s has %d bytes", name, size)
			}
		}
	}
}

// TestFaults kills a real process at each fault point and looks at what it left.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		point                 string
		effect, done, pending bool
	}{
		{"journal-intent", false, false, false}, {"journal-effect", true, false, false}, {"journal-done", true, true, false},
		{"outbox-put", true, true, true},
	} {
		t.Run(c.point, func(t *testing.T) {
			location := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), childEnv+"="+location, "PIPE_FAULT="+c.point)
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != -1 || len(out) > 0 {
				t.Fatalf("the child was not killed: %v, %s", err, out)
			}
			s, err := Open(location, statetest.Pipeline, statetest.Environment)
			if err != nil {
				t.Fatal(err)
			}
			l := take(t, s)
			_, statErr := os.Stat(filepath.Join(location, "effect"))
			effects, err1 := l.Journal(publish).Done(t.Context())
			pending, err2 := l.Outbox().Pending(t.Context())
			if err1 != nil || err2 != nil || (statErr == nil) != c.effect || (len(effects) == 1) != c.done || (len(pending) == 1) != c.pending {
				t.Errorf("effect %v, done %v, pending %v, %v, %v", statErr == nil, effects, pending, err1, err2)
			}
			again := false
			_, err = l.Journal(publish).Do(t.Context(), "row", "another", func(_ context.Context, at stage.Attempt) (any, error) {
				again = at.Again && string(at.Intent) == `"intent"`
				return "result", nil
			})
			if err != nil || again == c.done {
				t.Errorf("again %v, %v", again, err)
			}
		})
	}
}
