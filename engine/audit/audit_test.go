package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/digest"
)

// memory keeps lines; it fails where fail says so.
type memory struct {
	buf  bytes.Buffer
	fail func(line []byte) (written bool, err error)
}

func (m *memory) AppendAudit(_ context.Context, line []byte) error {
	written, err := true, error(nil)
	if m.fail != nil {
		written, err = m.fail(line)
	}
	if written {
		m.buf.Write(line)
		m.buf.WriteByte('\n')
	}
	return err
}

func (m *memory) read() (io.ReadCloser, error) {
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(m.buf.Bytes()), io.NopCloser(nil)}, nil
}

// unseekable reads without knowing the end.
func (m *memory) unseekable() (io.ReadCloser, error) {
	return io.NopCloser(iotest.HalfReader(bytes.NewReader(m.buf.Bytes()))), nil
}

func record(i int) Record {
	r := Record{At: time.Date(2026, 1, 2, 3, 4, i, i*1000, time.FixedZone("", 3600)), Actor: "ann@host", Action: "apply.started",
		Outcome: "succeeded", Pipeline: "sample", Environment: "prod", Run: fmt.Sprint("run-", i),
		PlanDigest: digest.JSON(i), SourceRevision: "abc"}
	if i%2 == 0 {
		r.Details = json.RawMessage(fmt.Sprintf(`{"z": [1, 2.50, %d], "a": "<é>\u2028\\"}`, i))
	}
	return r
}

// chain returns a log of n records and the hash of each.
func chain(t testing.TB, n int) (*memory, []digest.Digest) {
	t.Helper()
	m := &memory{}
	l, err := Open(context.Background(), m.read)
	if err != nil {
		t.Fatal(err)
	}
	var heads []digest.Digest
	for i := range n {
		head, err := l.Append(context.Background(), m, record(i))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	return m, heads
}

func TestAppend(t *testing.T) {
	m, heads := chain(t, 3)
	want := `{"seq":1,"at":"2026-01-02T02:04:00Z","actor":"ann@host","action":"apply.started","outcome":"succeeded",` +
		`"pipeline":"sample","environment":"prod","run":"run-0","plan_digest":"` + string(digest.JSON(0)) +
		`","source_revision":"abc","details":{"z":[1,2.50,0],"a":"<é>\u2028\\"},"prev":""}`
	first, _, _ := strings.Cut(m.buf.String(), "\n")
	sum := digest.Bytes([]byte(want))
	if want = strings.TrimSuffix(want, "}") + `,"hash":"` + string(sum) + `"}`; first != want || heads[0] != sum {
		t.Errorf("first line\n%s\nwant\n%s", first, want)
	}
	var prev digest.Digest
	n := 0
	for r, err := range Records(bytes.NewReader(m.buf.Bytes())) {
		if err != nil || r.Seq != int64(n+1) || r.Prev != prev || r.Hash != heads[n] || !r.At.Equal(record(n).At) {
			t.Errorf("record %d: %+v, %v", n, r, err)
		}
		prev = r.Hash
		n++
	}
	report, err := Verify(bytes.NewReader(m.buf.Bytes()), heads[2])
	if diff := cmp.Diff(Report{Records: 3, Head: heads[2]}, report); n != 3 || err != nil || diff != "" {
		t.Errorf("%d records, %v, %s", n, err, diff)
	}
}

// TestReopen opens the log anew for each record, through readers that can seek and that can't.
func TestReopen(t *testing.T) {
	m, heads := chain(t, 2)
	for i := 2; i < 12; i++ {
		read := m.read
		if i%2 == 0 {
			read = m.unseekable
		}
		l, err := Open(t.Context(), read)
		if err != nil {
			t.Fatal(err)
		}
		if l.Head() != heads[len(heads)-1] {
			t.Errorf("head %s, want %s", l.Head(), heads[len(heads)-1])
		}
		r := record(i)
		if i > 5 {
			r.Details, _ = json.Marshal(strings.Repeat("x", i*20_000)) // longer than what is read of the end at first
		}
		head, err := l.Append(t.Context(), m, r)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	if report, err := Verify(bytes.NewReader(m.buf.Bytes()), heads[11]); err != nil || report.Records != 12 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestAppendFails has the appender fail, with the line written and without: the chain must stay whole.
func TestAppendFails(t *testing.T) {
	broken := errors.New("the connection was lost")
	for _, written := range []bool{false, true} {
		m, _ := chain(t, 2)
		l, err := Open(t.Context(), m.read)
		if err != nil {
			t.Fatal(err)
		}
		m.fail = func([]byte) (bool, error) { return written, broken }
		if _, err := l.Append(t.Context(), m, record(2)); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		m.fail = nil
		head, err := l.Append(t.Context(), m, record(3))
		if err != nil {
			t.Fatal(err)
		}
		want := 3
		if written {
			want = 4
		}
		if report, err := Verify(bytes.NewReader(m.buf.Bytes()), head); err != nil || report.Records != want {
			t.Errorf("%+v, %v, want %d records", report, err, want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	m, _ := chain(t, 1)
	before := m.buf.String()
	l, err := Open(t.Context(), m.read)
	if err != nil {
		t.Fatal(err)
	}
	bad := record(1)
	bad.Details = json.RawMessage(`{"cut`)
	for what, r := range map[string]Record{"no time": {Action: "x"}, "no action": {At: time.Now()}, "details": bad} {
		if _, err := l.Append(t.Context(), m, r); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if m.buf.String() != before {
		t.Error("something was appended")
	}
	odd := record(1)
	odd.Actor, odd.SourceRevision = "a\xffn\nn\u2028", "<&>\x00"
	head, err := l.Append(t.Context(), m, odd)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := Verify(bytes.NewReader(m.buf.Bytes()), head); err != nil || report.Records != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestOpenRefusesDamagedEnd(t *testing.T) {
	m, _ := chain(t, 3)
	raw := m.buf.Bytes()
	raw[len(raw)-100]++
	if _, err := Open(t.Context(), m.read); err == nil || !strings.Contains(err.Error(), "pipe audit verify") {
		t.Errorf("error %v", err)
	}
}

// TestEveryByte changes each byte of a log in several ways: the record that holds it is named.
func TestEveryByte(t *testing.T) {
	m, heads := chain(t, 4)
	raw, head := m.buf.Bytes(), heads[3]
	random := rand.New(rand.NewPCG(5, 6))
	for i := range raw {
		lineNo := 1 + bytes.Count(raw[:i], []byte{'\n'})
		for _, b := range []byte{raw[i] ^ 1, raw[i] ^ 0x20, '\n', '"', raw[i] ^ byte(1+random.IntN(255))} {
			if b == raw[i] {
				continue
			}
			bad := bytes.Clone(raw)
			bad[i] = b
			_, err := Verify(bytes.NewReader(bad), head)
			var p *Problem
			if !errors.As(err, &p) || p.Line != lineNo || p.Seq != int64(lineNo) && p.Kind != HashMismatch {
				t.Fatalf("byte %d of line %d: %q became %q: %v", i, lineNo, raw[i], b, err)
			}
		}
	}
}

// TestTampering takes records out, moves them, adds them and replaces them.
func TestTampering(t *testing.T) {
	m, heads := chain(t, 6)
	lines := strings.SplitAfter(strings.TrimSuffix(m.buf.String(), "\n"), "\n")
	lines[5] += "\n"
	other, _ := chain(t, 3)
	l, err := Open(t.Context(), other.read)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), other, record(99)); err != nil {
		t.Fatal(err)
	}
	foreign := strings.SplitAfter(other.buf.String(), "\n")[3] // record 4, follows record 3, has other content
	join := func(parts ...string) string { return strings.Join(parts, "") }
	for name, c := range map[string]struct {
		log  string
		kind ProblemKind
		line int
		seq  int64
	}{
		"first taken out":   {join(lines[1:]...), SeqGap, 1, 2},
		"third taken out":   {join(append(append([]string{}, lines[:2]...), lines[3:]...)...), SeqGap, 3, 4},
		"two swapped":       {join(lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]), SeqGap, 2, 3},
		"one twice":         {join(lines[0], lines[1], lines[1], lines[2]), SeqGap, 3, 2},
		"last taken out":    {join(lines[:5]...), HeadMissing, 6, 6},
		"last three out":    {join(lines[:3]...), HeadMissing, 4, 4},
		"all taken out":     {"", HeadMissing, 1, 1},
		"replaced":          {join(lines[0], lines[1], lines[2], foreign, lines[4], lines[5]), BrokenChain, 5, 5},
		"empty line":        {join(lines[0], "\n", lines[1]), Malformed, 2, 2},
		"a line added":      {join(lines[0], "{}\n", lines[1]), Malformed, 2, 2},
		"forged line added": {join(lines[0], strings.Replace(lines[1], "ann", "bob", 1), lines[2]), HashMismatch, 2, 2},
		"hash taken out":    {join(lines[0], lines[1][:strings.Index(lines[1], `,"hash"`)]+"}\n"), Malformed, 2, 2},
		"rewritten":         {other.buf.String(), HeadMissing, 5, 5},
		"cut in a line":     {join(lines...)[:len(join(lines...))-20], HeadMissing, 6, 6},
		"spaces":            {join(lines[0], " ", lines[1]), HashMismatch, 2, 2},
		"other key case":    {join(lines[0], strings.Replace(lines[1], `"actor"`, `"Actor"`, 1)), HashMismatch, 2, 2},
		"key twice":         {join(lines[0], strings.Replace(lines[1], `"actor"`, `"actor":"bob","actor"`, 1)), HashMismatch, 2, 2},
		"unknown key":       {join(lines[0], strings.Replace(lines[1], `"actor"`, `"x":1,"actor"`, 1)), HashMismatch, 2, 2},
		"CRLF":              {strings.ReplaceAll(join(lines...), "\n", "\r\n"), HashMismatch, 1, 1},
	} {
		_, err := Verify(strings.NewReader(c.log), heads[5])
		var p *Problem
		if !errors.As(err, &p) || p.Kind != c.kind || p.Line != c.line || p.Seq != c.seq {
			t.Errorf("%s: %v (%+v), want %s in line %d, record %d", name, err, p, c.kind, c.line, c.seq)
		}
	}
}

// TestHead checks what the state remembers against the log: it may lag behind, and must be in the chain.
func TestHead(t *testing.T) {
	m, heads := chain(t, 5)
	for i, head := range append([]digest.Digest{""}, heads...) {
		report, err := Verify(bytes.NewReader(m.buf.Bytes()), head)
		if err != nil || report.Ahead != 5-i || report.Head != heads[4] {
			t.Errorf("head %d: %+v, %v", i, report, err)
		}
	}
	_, err := Verify(bytes.NewReader(m.buf.Bytes()), digest.JSON("another"))
	var p *Problem
	if !errors.As(err, &p) || p.Kind != HeadMissing {
		t.Errorf("error %v", err)
	}
	m.buf.WriteString(`{"seq":6,"at":"20`)
	report, err := Verify(bytes.NewReader(m.buf.Bytes()), heads[4])
	if err != nil || report.Torn != 17 || report.Records != 5 {
		t.Errorf("torn: %+v, %v", report, err)
	}
	if _, err := Verify(iotest.ErrReader(io.ErrUnexpectedEOF), ""); !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &p) {
		t.Errorf("a log that can't be read: %v", err)
	}
}

// FuzzVerify changes a log in one place: it is never taken for whole unless nothing was changed.
func FuzzVerify(f *testing.F) {
	m, heads := chain(f, 3)
	raw := m.buf.Bytes()
	f.Add(0, 0, []byte("x"))
	f.Add(10, 5, []byte{})
	f.Add(len(raw)-1, 1, []byte("\n\n"))
	f.Add(400, 1, []byte("\\u0061"))
	f.Fuzz(func(t *testing.T, at, cut int, insert []byte) {
		if at < 0 || cut < 0 || at > len(raw) || cut > len(raw)-at {
			return
		}
		bad := append(append(bytes.Clone(raw[:at]), insert...), raw[at+cut:]...)
		report, err := Verify(bytes.NewReader(bad), heads[2])
		if bytes.Equal(bad, raw) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		// What follows the last newline is no record; without it the log is the whole one.
		if err == nil && (!bytes.HasPrefix(bad, raw) || report.Torn != len(bad)-len(raw)) {
			t.Fatalf("accepted: %q", bad)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	m, heads := chain(b, 1000)
	b.SetBytes(int64(m.buf.Len()))
	for b.Loop() {
		if _, err := Verify(bytes.NewReader(m.buf.Bytes()), heads[999]); err != nil {
			b.Fatal(err)
		}
	}
}
