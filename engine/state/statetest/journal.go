package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/stage"
	"pipe/engine/state"
)

// result makes an effect that counts its calls and gives v.
func result(calls *int, v any) func(context.Context, stage.Attempt) (any, error) {
	return func(context.Context, stage.Attempt) (any, error) {
		*calls++
		return v, nil
	}
}

func done(t *testing.T, j stage.Journal) []stage.Effect {
	t.Helper()
	list, err := j.Done(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testJournal(t *testing.T, b Backend) {
	s, location := b.open(t)
	calls := 0
	l := acquire(t, s)
	do := func(l state.Lease, name, key string, intent, v any) string {
		t.Helper()
		raw, err := l.Journal(node(name)).Do(t.Context(), key, intent, result(&calls, v))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	expect := func(what, got, want string, wantCalls int) {
		t.Helper()
		if got != want || calls != wantCalls {
			t.Errorf("%s: result %s after %d calls, want %s after %d", what, got, calls, want, wantCalls)
		}
	}
	expect("first", do(l, "a", "row", map[string]any{"z": 1, "a": "<x>"}, map[string]any{"id": 7, "b": "&"}), `{"b":"&","id":7}`, 1)
	expect("again", do(l, "a", "row", "another intent", "another result"), `{"b":"&","id":7}`, 1)
	expect("another key", do(l, "a", "sum", nil, nil), `null`, 2)
	expect("another node", do(l, "b", "row", 1, 2), `2`, 3)
	want := []stage.Effect{{Key: "row", Intent: json.RawMessage(`{"a":"<x>","z":1}`), Result: json.RawMessage(`{"b":"&","id":7}`)},
		{Key: "sum", Intent: json.RawMessage(`null`), Result: json.RawMessage(`null`)}}
	if diff := cmp.Diff(want, done(t, l.Journal(node("a")))); diff != "" {
		t.Error(diff)
	}
	release(t, l)

	l = acquire(t, b.reopen(t, location))
	if diff := cmp.Diff(want, done(t, l.Journal(node("a")))); diff != "" {
		t.Errorf("in the next lease: %s", diff)
	}
	expect("in the next lease", do(l, "a", "row", 1, 2), `{"b":"&","id":7}`, 3)
	for _, key := range []string{"row", "row", "never"} {
		if err := l.Journal(node("a")).Undo(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want[1:], done(t, l.Journal(node("a")))); diff != "" {
		t.Errorf("after undo: %s", diff)
	}
	_, err := l.Journal(node("a")).Do(t.Context(), "row", "new", func(_ context.Context, at stage.Attempt) (any, error) {
		if at.Again || string(at.Intent) != `"new"` {
			t.Errorf("after undo: attempt %+v", at)
		}
		return 9, nil
	})
	if list := done(t, l.Journal(node("a"))); err != nil || len(list) != 2 || list[1].Key != "row" || string(list[1].Result) != "9" {
		t.Errorf("after undo and do: %v, %v", list, err)
	}
}

// testJournalOnce has many goroutines ask for the same effect.
func testJournalOnce(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			raw, err := l.Journal(node("a")).Do(t.Context(), "once", i, func(_ context.Context, at stage.Attempt) (any, error) {
				time.Sleep(5 * time.Millisecond)
				return calls.Add(1), nil
			})
			if err != nil || string(raw) != "1" {
				t.Errorf("result %s, %v", raw, err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("the effect happened %d times", calls.Load())
	}
}

// testJournalFails has the effect fail: it may have happened all the same, so the next attempt is told.
func testJournalFails(t *testing.T, b Backend) {
	s, location := b.open(t)
	l := acquire(t, s)
	broken := errors.New("the connection was lost")
	for attempt := range 3 {
		if attempt == 2 {
			release(t, l)
			l = acquire(t, b.reopen(t, location))
		}
		raw, err := l.Journal(node("a")).Do(t.Context(), "row", attempt, func(_ context.Context, at stage.Attempt) (any, error) {
			if at.Again != (attempt > 0) || string(at.Intent) != "0" {
				t.Errorf("attempt %d: %+v with intent %s", attempt, at, at.Intent)
			}
			return nil, broken
		})
		if !errors.Is(err, broken) || raw != nil {
			t.Errorf("attempt %d: %s, %v", attempt, raw, err)
		}
		if list := done(t, l.Journal(node("a"))); len(list) != 0 {
			t.Errorf("attempt %d: done %v", attempt, list)
		}
	}
	if _, err := l.Journal(node("a")).Do(t.Context(), "bad", func() {}, result(new(int), 1)); err == nil {
		t.Error("an intent that can't be recorded was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	raw, err := l.Journal(node("a")).Do(ctx, "cancelled", 1, func(context.Context, stage.Attempt) (any, error) {
		cancel()
		return 5, nil
	})
	if list := done(t, l.Journal(node("a"))); err != nil || string(raw) != "5" || len(list) != 1 {
		t.Errorf("an effect that happened while the run was interrupted was not recorded: %s, %v, %v", raw, err, list)
	}
}

func testJournalMove(t *testing.T, b Backend) {
	s, location := b.open(t)
	l := acquire(t, s)
	calls := 0
	for _, key := range []string{"one", "two"} {
		if _, err := l.Journal(node("old")).Do(t.Context(), key, key, result(&calls, key)); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = l.Journal(node("old")).Do(t.Context(), "begun", 1, func(context.Context, stage.Attempt) (any, error) { return nil, errors.New("no") })
	for range 2 {
		if err := l.MoveJournal(t.Context(), node("old"), node("new")); err != nil {
			t.Fatal(err)
		}
		release(t, l)
		l = acquire(t, b.reopen(t, location))
		if list := done(t, l.Journal(node("old"))); len(list) != 0 {
			t.Errorf("the old node still has %v", list)
		}
		list := done(t, l.Journal(node("new")))
		if len(list) != 2 || list[0].Key != "one" || list[1].Key != "two" {
			t.Errorf("the new node has %v", list)
		}
	}
	if _, err := l.Journal(node("new")).Do(t.Context(), "one", 1, result(&calls, 1)); err != nil || calls != 2 {
		t.Errorf("an effect of a renamed node happened again: %v", err)
	}
	_, err := l.Journal(node("new")).Do(t.Context(), "begun", 2, func(_ context.Context, at stage.Attempt) (any, error) {
		if !at.Again || string(at.Intent) != "1" {
			t.Errorf("attempt %+v", at)
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// testJournalCrash kills the process at each point of an effect, then does it again in the next one.
func testJournalCrash(t *testing.T, b Backend) {
	for _, c := range []struct {
		deaths []string
		result string
	}{
		{[]string{"before"}, `{"recorded_by":1}`}, {[]string{"after"}, `{"recorded_by":1}`}, {[]string{"done"}, `{"recorded_by":0}`},
		{[]string{"before", "before", "after", "after", "done"}, `{"recorded_by":4}`},
	} {
		t.Run(fmt.Sprint(c.deaths), func(t *testing.T) {
			s, location := b.open(t)
			effects := filepath.Join(t.TempDir(), "effects")
			for n, where := range append(c.deaths, "") {
				child := b.start(t, job{Location: location, Role: "effect", N: n, Die: where, Effects: effects})
				if where == "" {
					child.expect("effect done")
				} else if line, ok := child.line(); ok {
					t.Fatalf("the child lives and says %q", line)
				}
				child.kill()
			}
			raw, err := os.ReadFile(effects)
			if err != nil || string(raw) != "{\"attempt\":0}\n" {
				t.Errorf("effects %q, %v: want one, with the first intent", raw, err)
			}
			list := done(t, acquire(t, s).Journal(node("a")))
			if len(list) != 1 || string(list[0].Result) != c.result {
				t.Errorf("done %+v, want the result %s", list, c.result)
			}
		})
	}
}
