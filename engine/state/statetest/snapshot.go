package statetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/state"
)

// Sample returns a snapshot with n entries that has something in every field.
func Sample(n int) *state.Snapshot {
	s := state.New(Pipeline, Environment)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	finished := at.Add(time.Minute)
	s.AuditHead = digest.Bytes([]byte("head"))
	s.LastRun = &state.Run{ID: "r1", PlanDigest: digest.Bytes([]byte("plan")), Started: at, Finished: &finished,
		Outcome: "succeeded", Actor: "ann@host", SourceRevision: "0123abc"}
	from := state.Provenance{ID: "r1", PlanDigest: digest.Bytes([]byte("plan")), At: at, By: "ann@host", Restored: true}
	for i := range n {
		a := addr.New(addr.Stage, "bars").Instance(fmt.Sprintf("20%02d-%02d \"<é>&\u2028", i/12, i%12+1))
		count, mean := int64(i), 0.1*float64(i)
		config := json.RawMessage(fmt.Sprintf(`{"columns":["open","high","low","close"],"path":"a<b>&\\\"c/%d","rate":0.1,"source":{"$input":"source"}}`, i))
		input := digest.JSON([]int{i})
		s.Entries[a] = &state.Entry{Address: a, Type: "canonical",
			Fingerprint: state.Fingerprint{Version: state.FingerprintVersion, Kind: "stage", Type: "canonical", Revision: 3,
				Config: config, Observation: digest.JSON(i), Inputs: []state.InputPart{{Label: "source", Digest: input}}},
			Artifact: digest.JSON(fmt.Sprint(i)), Bytes: 12345, Config: config, To: "data/${each.key}/canonical.json",
			Info: artifact.Info{Main: "canonical.json", Rows: 744, Metrics: map[string]float64{"spread": 1.5e-5, "n": 3},
				Facts: map[string]string{"symbol": "EURUSD"}},
			Inputs:    []state.InputRef{{Label: "source", Address: addr.New(addr.Input, "raw")}},
			DependsOn: []addr.Addr{addr.New(addr.Stage, "first")},
			Checks: state.Checks{Digest: digest.JSON("checks"),
				Expectations: []check.Expectation{{Type: "column_values_to_be_between", Severity: check.Error,
					Args: json.RawMessage(`{"column":"close","max_value":2.0,"min_value":0.5}`)}},
				Results: []check.Result{{Type: "column_values_to_be_between", Args: json.RawMessage(`{"column":"close"}`),
					Severity: check.Error, Success: true, Message: "744 of 744", ObservedValue: mean, UnexpectedCount: &count}}},
			Materialized: []state.Materialized{{Path: fmt.Sprintf("data/%d.json", i),
				File: artifact.File{Path: "canonical.json", Digest: input, Size: 12345}}},
			Protected: i%2 == 0, Run: from,
			History: []state.Sample{{Seconds: 0.25, InputBytes: 9}, {Seconds: 1.75, InputBytes: 10}}}
	}
	bad := node("core")
	s.Failures[bad] = &state.Failure{Address: bad, Fingerprint: digest.JSON("f"), Artifact: digest.JSON("a"),
		Error: "it failed:\n\"badly\"", Run: from, Results: []check.Result{{Type: "x", Args: json.RawMessage(`{}`), Severity: check.Warn,
			PartialUnexpectedRows: []check.Row{{Number: 4, Columns: []string{"a", "b"}, Values: []any{"x", nil}}}}}}
	return s
}

func testEmpty(t *testing.T, b Backend) {
	s, _ := b.open(t)
	if diff := cmp.Diff(state.New(Pipeline, Environment), read(t, s)); diff != "" {
		t.Error(diff)
	}
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("holder %v, %v", h, err)
	}
	if saved, err := s.History(t.Context()); len(saved) != 0 || err != nil {
		t.Errorf("history %v, %v", saved, err)
	}
	if log := auditLog(t, s); log != "" {
		t.Errorf("audit log %q", log)
	}
	if err := s.BreakLock(t.Context(), "x"); err == nil {
		t.Error("a lock that is not there was broken")
	}
}

func auditLog(t *testing.T, s state.Store) string {
	t.Helper()
	r, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func testRoundTrip(t *testing.T, b Backend) {
	s, location := b.open(t)
	l := acquire(t, s)
	want := Sample(30)
	for serial := int64(1); serial <= 3; serial++ {
		write(t, l, want)
		if want.Serial != serial || want.Lineage == "" {
			t.Fatalf("serial %d, want %d; lineage %q", want.Serial, serial, want.Lineage)
		}
		got := read(t, b.reopen(t, location))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for a, e := range want.Entries {
			if !bytes.Equal(e.Config, got.Entries[a].Config) || e.Fingerprint.Digest() != got.Entries[a].Fingerprint.Digest() {
				t.Fatalf("%s: the configuration came back as %s", a, got.Entries[a].Config)
			}
		}
		want.LastRun.ID = fmt.Sprint("after", serial)
	}
	for a := range want.Entries {
		delete(want.Entries, a)
	}
	want.Failures, want.LastRun = nil, nil
	write(t, l, want)
	if got := read(t, s); got.Serial != 4 || len(got.Entries) != 0 || got.Entries == nil || got.Failures == nil || got.LastRun != nil {
		t.Errorf("emptied: %+v", got)
	}
}

func testStale(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	early := read(t, s)
	snap := Sample(2)
	write(t, l, snap)
	old := read(t, s)
	write(t, l, snap)
	other := read(t, s)
	other.Lineage = "another"
	ahead := read(t, s)
	ahead.Serial += 5
	for what, stale := range map[string]*state.Snapshot{"before the first": early, "old": old, "another lineage": other, "ahead": ahead} {
		serial, lineage := stale.Serial, stale.Lineage
		if err := l.Write(t.Context(), stale); !errors.Is(err, state.ErrStale) {
			t.Errorf("%s: error %v, want ErrStale", what, err)
		}
		if stale.Serial != serial || stale.Lineage != lineage {
			t.Errorf("%s: the snapshot was changed by a write that failed", what)
		}
	}
	if diff := cmp.Diff(snap, read(t, s)); diff != "" {
		t.Error(diff)
	}
	write(t, l, snap)
}

func testOtherPipeline(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	for _, snap := range []*state.Snapshot{state.New("other", Environment), state.New(Pipeline, "other")} {
		if err := l.Write(t.Context(), snap); err == nil {
			t.Errorf("the snapshot of %s in %s was written", snap.Pipeline, snap.Environment)
		}
	}
}

func testHistory(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	snap := Sample(1)
	for range 15 {
		write(t, l, snap)
	}
	release(t, l)
	saved, err := s.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	have, last := map[int64]bool{}, int64(0)
	for _, h := range saved {
		if h.Serial <= last || h.Path == "" {
			t.Errorf("history %v", saved)
		}
		have[h.Serial], last = true, h.Serial
	}
	for serial := int64(6); serial <= 14; serial++ {
		if !have[serial] {
			t.Errorf("serial %d is not kept: %v", serial, saved)
		}
	}
	if len(saved) > 25 {
		t.Errorf("%d serials are kept", len(saved))
	}
}

func testForce(t *testing.T, b Backend) {
	s, _ := b.open(t)
	l := acquire(t, s)
	f, ok := l.(state.Forcer)
	if !ok {
		t.Skip("the lease can't write over a state")
	}
	snap := Sample(3)
	for range 4 {
		write(t, l, snap)
	}
	other := Sample(1)
	other.Lineage, other.Serial = "another", 2
	if err := f.Force(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if other.Serial != 5 || other.Lineage != "another" {
		t.Errorf("serial %d, lineage %s", other.Serial, other.Lineage)
	}
	if diff := cmp.Diff(other, read(t, s)); diff != "" {
		t.Error(diff)
	}
	ahead := Sample(1)
	ahead.Lineage, ahead.Serial = "another", 70
	if err := f.Force(t.Context(), ahead); err != nil || ahead.Serial != 71 {
		t.Errorf("serial %d, %v", ahead.Serial, err)
	}
	if err := l.Write(t.Context(), snap); !errors.Is(err, state.ErrStale) {
		t.Errorf("what was replaced is not stale: %v", err)
	}
	write(t, l, ahead)
}

func testAudit(t *testing.T, b Backend) {
	s, _ := b.open(t)
	want := ""
	for range 2 {
		l := acquire(t, s)
		for i := range 5 {
			line := fmt.Sprintf(`{"n":%d,"text":"<é>"}`, i)
			if err := l.AppendAudit(t.Context(), []byte(line)); err != nil {
				t.Fatal(err)
			}
			want += line + "\n"
			if got := auditLog(t, s); got != want {
				t.Fatalf("audit log %q, want %q", got, want)
			}
		}
		if err := l.AppendAudit(t.Context(), []byte("two\nlines")); err == nil {
			t.Error("two lines were taken for one")
		}
		release(t, l)
	}
	if got := auditLog(t, s); got != want {
		t.Fatalf("audit log %q, want %q", got, want)
	}
}
