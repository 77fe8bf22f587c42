package filestate

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/state"
	"pipe/engine/state/statetest"
)

const golden = `{
  "checksum": "sha256:SUM",
  "format_version": 1,
  "pipeline": "sample",
  "environment": "test",
  "lineage": "L",
  "serial": 3,
  "last_run": {
    "id": "r1",
    "plan_digest": "",
    "started": "2026-01-02T03:04:05Z",
    "outcome": "running",
    "actor": "a\"{[,:b"
  },
  "entries": {
    "stage.a[\"x\"]": {
      "address": "stage.a[\"x\"]",
      "type": "sql",
      "fingerprint": {"version":"v1","kind":"","type":"","revision":0,"config":{"q":"select 1"}},
      "artifact": "",
      "info": {},
      "bytes": 0,
      "config": {"q":"select 1"},
      "checks": {},
      "run": {"id":"","plan_digest":"","at":"0001-01-01T00:00:00Z","by":""}
    },
    "stage.b": {
      "address": "stage.b",
      "type": "sql",
      "fingerprint": {"version":"v1","kind":"","type":"","revision":0,"config":{}},
      "artifact": "",
      "info": {},
      "bytes": 0,
      "depends_on": ["stage.a"],
      "config": {},
      "checks": {},
      "run": {"id":"","plan_digest":"","at":"0001-01-01T00:00:00Z","by":""}
    }
  }
}
`

func TestLayout(t *testing.T) {
	s := state.New("sample", "test")
	s.Lineage, s.Serial = "L", 3
	s.LastRun = &state.Run{ID: "r1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Outcome: "running", Actor: `a"{[,:b`}
	a := addr.New(addr.Stage, "a")
	b := addr.New(addr.Stage, "b")
	for at, config := range map[addr.Addr]string{a.Instance("x"): `{"q": "select 1"}`, b: `{}`} {
		s.Entries[at] = &state.Entry{Address: at, Type: "sql", Config: json.RawMessage(config),
			Fingerprint: state.Fingerprint{Version: "v1", Config: json.RawMessage(config)}}
	}
	s.Entries[b].DependsOn = []addr.Addr{a}
	raw, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	sum := digest.Bytes([]byte(strings.Replace(golden, "  \"checksum\": \"sha256:SUM\",\n", "", 1)))
	if diff := cmp.Diff(strings.Replace(golden, "SUM", sum.Hex(), 1), string(raw)); diff != "" {
		t.Error(diff)
	}
}

// TestCanonical compares with encoding/json, which knows nothing of the layout.
func TestCanonical(t *testing.T) {
	for _, n := range []int{0, 1, 2, 15, 16, 17, 300} {
		s := statetest.Sample(n)
		if n == 2 {
			s.Failures, s.LastRun = nil, nil
		}
		raw, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Fatal(err)
		}
		want, err := digest.Canonical(s)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(compact.String(), ",")
		if "{"+rest != string(want) {
			t.Errorf("%d entries: %s, want %s", n, rest, want)
		}
		plain := &state.Snapshot{}
		if err := json.Unmarshal(raw, plain); err != nil {
			t.Fatal(err)
		}
		got, ok, err := parseLaidOut(raw)
		if err != nil || ok != (n > 0) {
			t.Fatalf("%d entries: %v, %v", n, ok, err)
		}
		if ok {
			if diff := cmp.Diff(plain, got); diff != "" {
				t.Errorf("%d entries: %s", n, diff)
			}
		}
	}
}

func TestEncoderKeepsOnlyWhatStays(t *testing.T) {
	var e encoder
	s := statetest.Sample(40)
	for range 3 {
		got, err := e.encode(s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("a remembered encoding differs")
		}
		if len(e.blocks) != len(s.Entries) {
			t.Errorf("%d encodings for %d entries", len(e.blocks), len(s.Entries))
		}
		for a, entry := range s.Entries {
			next := *entry
			next.Bytes++
			if s.Entries[a] = &next; next.Bytes%2 == 0 {
				delete(s.Entries, a)
			}
			break
		}
	}
	s.Entries[addr.New(addr.Stage, "nil")] = nil
	if _, err := e.encode(s); err == nil {
		t.Error("an entry that is nil was encoded")
	}
}

// TestEveryByteCounts damages a state file in each place.
func TestEveryByteCounts(t *testing.T) {
	raw, err := Encode(statetest.Sample(2))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= byte(1 + random.IntN(255))
		if _, err := Decode(bad); err == nil {
			t.Fatalf("byte %d: %q was accepted for %q", i, bad[i], raw[i])
		}
		if _, err := Decode(raw[:i]); err == nil {
			t.Fatalf("a file cut after %d bytes was accepted", i)
		}
	}
	if _, err := Decode(append(bytes.Clone(raw), '\n')); err == nil {
		t.Fatal("a file with a byte more was accepted")
	}
	if _, err := Decode(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))); err == nil {
		t.Fatal("a file with other line ends was accepted")
	}
}

// FuzzDecode gives Decode any content under a right checksum.
func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, 2} {
		raw, err := Encode(statetest.Sample(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[len(checkStart)+sumLen+len(checkEnd):])
	}
	f.Add([]byte("  \"entries\": {\n    \"stage.a\": {\n    }\n  }\n}\n"))
	f.Add([]byte("\n  \"entries\": {\n    \"stage.a\": null\n  }\n}"))
	f.Add([]byte("\"format_version\": 99}"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		raw := []byte(checkStart + string(sum(rest)) + checkEnd)
		s, err := Decode(append(raw, rest...))
		if err != nil {
			return
		}
		again, err := Encode(s)
		if err != nil {
			t.Fatalf("%v: what was read can't be written", err)
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		third, err := Encode(back)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable: %v\n%s\n%s", err, again, third)
		}
	})
}
