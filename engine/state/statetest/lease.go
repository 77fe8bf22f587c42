package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"pipe/engine/stage"
	"pipe/engine/state"
)

func testLocked(t *testing.T, b Backend) {
	s, location := b.open(t)
	child := b.start(t, job{Location: location, Role: "hold"})
	child.expect("held")
	began := time.Now()
	_, err := s.Acquire(t.Context(), me, 0)
	var locked *state.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, state.ErrLocked) {
		t.Fatalf("error %v, want a LockedError", err)
	}
	if time.Since(began) > 5*time.Second {
		t.Errorf("being refused took %v", time.Since(began))
	}
	h := locked.Holder
	if host, _ := os.Hostname(); h.ID == "" || h.PID != child.cmd.Process.Pid || h.Name != "child" || h.Operation != "hold" || h.Host != host || h.Since.IsZero() {
		t.Errorf("holder %+v", h)
	}
	if got, err := s.Holder(t.Context()); err != nil || got == nil || *got != h {
		t.Errorf("Holder gives %+v, %v, want %+v", got, err, h)
	}
	if _, err := s.Read(t.Context()); err != nil {
		t.Errorf("reading while it is locked: %v", err)
	}
	child.say("release")
	child.expect("ok")
	l := acquire(t, s)
	if _, err := b.reopen(t, location).Acquire(t.Context(), me, 0); !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() {
		t.Errorf("a second lease in the same process: %v", err)
	}
	release(t, l)
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("after release: holder %v, %v", h, err)
	}
}

func testWait(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	began := time.Now()
	if _, err := s.Acquire(t.Context(), me, 300*time.Millisecond); !errors.Is(err, state.ErrLocked) || time.Since(began) < 250*time.Millisecond {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Acquire(ctx, me, patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the context", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = l.Release() })
	second, err := s.Acquire(t.Context(), me, patience)
	if err != nil {
		t.Fatal(err)
	}
	release(t, second)
}

func testKilledHolder(t *testing.T, b Backend) {
	s, location := b.open(t)
	child := b.start(t, job{Location: location, Role: "hold"})
	child.expect("held")
	child.kill()
	l := acquire(t, s)
	write(t, l, Sample(1))
	release(t, l)
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("holder %v, %v", h, err)
	}
}

func testReleased(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	release(t, l)
	release(t, l)
	wantLost(t, l)
	next := acquire(t, s)
	release(t, l) // must not release the lease of another
	if _, err := s.Acquire(t.Context(), me, 0); !errors.Is(err, state.ErrLocked) {
		t.Errorf("releasing an old lease freed the present one: %v", err)
	}
	write(t, next, Sample(1))
}

// wantLost fails if the lease can still write anything.
func wantLost(t *testing.T, l state.Lease) {
	t.Helper()
	ctx := t.Context()
	acted := false
	_, doErr := l.Journal(node("a")).Do(ctx, "k", 1, func(context.Context, stage.Attempt) (any, error) {
		acted = true
		return nil, nil
	})
	if acted {
		t.Error("an effect happened without the lease")
	}
	errs := map[string]error{"Write": l.Write(ctx, state.New(Pipeline, Environment)), "AppendAudit": l.AppendAudit(ctx, []byte("{}")),
		"Do": doErr, "Put": l.Outbox().Put(ctx, "k", json.RawMessage("1"))}
	if f, ok := l.(state.Forcer); ok {
		errs["Force"] = f.Force(ctx, state.New(Pipeline, Environment))
	}
	for what, err := range errs {
		if !errors.Is(err, state.ErrLost) {
			t.Errorf("%s without the lease: error %v, want ErrLost", what, err)
		}
	}
}

func testBrokenLock(t *testing.T, b Backend) {
	s, location := b.open(t)
	old := acquire(t, s)
	snap := Sample(1)
	write(t, old, snap)
	h, err := s.Holder(t.Context())
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	if err := s.BreakLock(t.Context(), "another"); err == nil {
		t.Error("the lock of another id was broken")
	}
	write(t, old, snap)
	if err := b.reopen(t, location).BreakLock(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("holder %v, %v", h, err)
	}
	wantLost(t, old)
	next, err := s.Acquire(t.Context(), me, 0)
	if err != nil {
		t.Fatal(err)
	}
	write(t, next, snap)
	wantLost(t, old)
	if err := old.Release(); err != nil {
		t.Errorf("releasing a lost lease: %v", err)
	}
	if _, err := s.Acquire(t.Context(), me, 0); !errors.Is(err, state.ErrLocked) {
		t.Errorf("the holder that lost the lease freed that of the next: %v", err)
	}
	write(t, next, snap)
	release(t, next)
	if got := read(t, s); got.Serial != snap.Serial {
		t.Errorf("serial %d, want %d", got.Serial, snap.Serial)
	}
}

// testPausedHolder stops a holder, takes its lease away, and lets it go on: it must not write.
func testPausedHolder(t *testing.T, b Backend) {
	s, location := b.open(t)
	child := b.start(t, job{Location: location, Role: "hold"})
	child.expect("held")
	child.say("write")
	child.expect("ok")
	if err := child.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h, err := s.Holder(t.Context())
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	if err := s.BreakLock(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	l := acquire(t, s)
	snap := read(t, s)
	snap.LastRun = &state.Run{ID: "the next holder"}
	write(t, l, snap)
	for _, what := range []string{"write", "audit", "effect", "put"} {
		child.say(what)
	}
	if err := child.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		child.expect("lost")
	}
	if got := read(t, s); got.LastRun.ID != "the next holder" || got.Serial != snap.Serial {
		t.Errorf("the old holder has written: %+v", got.LastRun)
	}
	if log := auditLog(t, s); log != "" {
		t.Errorf("the old holder has written to the audit log: %q", log)
	}
}

// testLostUpdates has four processes raise a number fifty times each.
func testLostUpdates(t *testing.T, b Backend) {
	const processes, updates = 4, 50
	s, location := b.open(t)
	var wg sync.WaitGroup
	for range processes {
		child := b.start(t, job{Location: location, Role: "update", N: updates})
		wg.Go(func() { child.expect("updated") })
	}
	wg.Wait()
	snap := read(t, s)
	if got, _ := strconv.Atoi(snap.LastRun.ID); got != processes*updates || snap.Serial != processes*updates {
		t.Errorf("counted to %s in serial %d, want %d", snap.LastRun.ID, snap.Serial, processes*updates)
	}
}
