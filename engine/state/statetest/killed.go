package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pipe/engine/stage"
	"pipe/engine/state"
)

// writeForever writes everything that a lease can write, one after the other, and says what it has written, until it is
// killed. N is the first number.
func (j job) writeForever(ctx context.Context, s state.Store) error {
	l, err := s.Acquire(ctx, state.Holder{Name: "child", Operation: "write"}, patience)
	if err != nil {
		return err
	}
	snap, err := s.Read(ctx)
	if err != nil {
		return err
	}
	if snap.Serial == 0 {
		serial := Sample(50)
		serial.LastRun = nil
		snap = serial
	}
	for i := j.N; ; i++ {
		key := fmt.Sprint(i)
		if err := l.Outbox().Put(ctx, key, json.RawMessage(key)); err != nil {
			return err
		}
		fmt.Println("put", i)
		_, err := l.Journal(node("a")).Do(ctx, key, i, func(context.Context, stage.Attempt) (any, error) { return i, nil })
		if err != nil {
			return err
		}
		fmt.Println("done", i)
		if err := l.AppendAudit(ctx, fmt.Appendf(nil, `{"n":%d,"padding":"%s"}`, i, strings.Repeat("x", 3000))); err != nil {
			return err
		}
		fmt.Println("audit", i)
		snap.LastRun = &state.Run{ID: key}
		if err := writeEitherWay(ctx, l, snap, i); err != nil {
			return err
		}
		fmt.Println("wrote", snap.Serial)
	}
}

// writeEitherWay amends three times of four, where the lease can.
func writeEitherWay(ctx context.Context, l state.Lease, snap *state.Snapshot, i int) error {
	if to, ok := l.(state.Amender); ok && i%4 != 0 {
		if err := to.Amend(ctx, snap, &state.Delta{}); !errors.Is(err, state.ErrWhole) {
			return err
		}
	}
	return l.Write(ctx, snap)
}

// testKilledWriter kills writers at random moments. What they said they wrote must be there, whole.
func testKilledWriter(t *testing.T, b Backend) {
	s, location := b.open(t)
	random := rand.New(rand.NewPCG(3, 4))
	told := map[string]int64{}
	for round := range 10 {
		first := int64(1000 * round)
		child := b.start(t, job{Location: location, Role: "write", N: int(first)})
		child.expect(fmt.Sprint("put ", first))
		told["put"] = first
		after := 1 + random.IntN(20) // lines, then a moment within the work on the next
		for n := 1; ; n++ {
			if n == after {
				time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, func() { _ = child.cmd.Process.Kill() })
			}
			line, ok := child.line()
			if !ok {
				break
			}
			var what string
			var n int64
			if c, _ := fmt.Sscan(line, &what, &n); c != 2 {
				t.Fatalf("the child says %q", line)
			}
			told[what] = n
		}
		child.kill()
		checkTold(t, s, told)
	}
	if told["wrote"] < 10 {
		t.Errorf("the writers wrote %v only", told)
	}
}

// checkTold checks that the last of each kind that was told of is there.
func checkTold(t *testing.T, s state.Store, told map[string]int64) {
	t.Helper()
	snap := read(t, s)
	if snap.Serial < told["wrote"] || snap.Serial > told["wrote"]+1 {
		t.Fatalf("serial %d, the writer said %d", snap.Serial, told["wrote"])
	}
	if snap.Serial > 0 && len(snap.Entries) != 50 {
		t.Fatalf("%d entries", len(snap.Entries))
	}
	l := acquire(t, s)
	defer release(t, l)
	lines := strings.Split(strings.TrimSuffix(auditLog(t, s), "\n"), "\n")
	found := told["audit"] == 0
	for _, line := range lines {
		var r struct{ N int64 }
		if line != "" && json.Unmarshal([]byte(line), &r) != nil {
			t.Fatalf("audit line %q", line)
		}
		found = found || r.N == told["audit"]
	}
	if !found {
		t.Fatalf("audit record %d is lost", told["audit"])
	}
	list := done(t, l.Journal(node("a")))
	if n := int64(-1); told["done"] > 0 {
		for _, e := range list {
			if string(e.Result) == fmt.Sprint(told["done"]) {
				n = told["done"]
			}
		}
		if n < 0 {
			t.Fatalf("effect %d is lost", told["done"])
		}
	}
	pending, err := l.Outbox().Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last := pending[len(pending)-1].Key; last != fmt.Sprint(told["put"]) && last != fmt.Sprint(told["put"]+1) {
		t.Fatalf("the last message is %s, the writer said %d", last, told["put"])
	}
}
