package view

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/check"
)

func started(name string, estimate float64) apply.Event {
	return apply.Event{Type: apply.NodeStarted, Address: addr.New(addr.Stage, name), Estimate: estimate}
}

func finishedEvent(name string, outcome apply.Outcome) apply.Event {
	return apply.Event{Type: apply.NodeFinished, Address: addr.New(addr.Stage, name), Outcome: outcome, Seconds: 1.34, Rows: 8760, Bytes: 1_100_000}
}

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	p := newPlain(&out, rows{address: 10}, time.Hour)
	defer p.Close()
	a := addr.New(addr.Stage, "a")
	fail := check.Result{Severity: check.Error}
	for _, e := range []apply.Event{
		{Type: apply.RunStarted}, started("a", 0),
		{Type: apply.NodeProgress, Address: a, Done: 5, Total: 10},
		{Type: apply.NodeRetry, Address: a, Attempt: 1, Wait: 2, Error: "no route to host\nat line 3"},
		finishedEvent("a", apply.Ran), finishedEvent("a", apply.Restored),
		{Type: apply.NodeFinished, Address: a, Outcome: apply.Rejected, Results: []check.Result{fail, {Success: true}}},
		{Type: apply.NodeFinished, Address: a, Outcome: apply.Skipped, Cause: addr.New(addr.Input, "x")},
		{Type: apply.Notified, Address: addr.New(addr.Notify, "ops"), Outcome: "delivered"},
		{Type: apply.Notified, Address: addr.New(addr.Notify, "ops"), Outcome: apply.Failed, Error: "404"},
		{Type: apply.RunFinished},
	} {
		p.Event(e)
	}
	want := `  retry      stage.a     attempt 1 failed: no route to host …; again in 2.0 s
  ran        stage.a     8,760 rows, 1.10 MB, 1.3 s
  restored   stage.a     8,760 rows, 1.10 MB
  rejected   stage.a     1 of 2 expectations failed
  skipped    stage.a     because of input.x
  notified   notify.ops
  not sent   notify.ops  404
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPlainHeartbeat(t *testing.T) {
	var out bytes.Buffer
	p := newPlain(&out, rows{address: 7}, time.Hour)
	defer p.Close()
	p.Event(started("a", 40))
	p.Event(apply.Event{Type: apply.NodeProgress, Address: addr.New(addr.Stage, "a"), Done: 3200, Total: 10000})
	begin := p.nodes.list[0].since
	p.beat(begin.Add(59 * time.Minute))
	if out.Len() != 0 {
		t.Fatalf("too early: %q", out.String())
	}
	p.beat(begin.Add(60 * time.Minute))
	p.beat(begin.Add(61 * time.Minute))
	p.beat(begin.Add(120 * time.Minute))
	want := "  running    stage.a  1 h 0 min of about 40 s, 32% (3,200 of 10,000)\n  running    stage.a  2 h 0 min of about 40 s, 32% (3,200 of 10,000)\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	p.Event(finishedEvent("a", apply.Unchanged))
	p.beat(begin.Add(200 * time.Minute))
	if strings.Contains(out.String(), "running") {
		t.Errorf("a node that is done still runs: %q", out.String())
	}
}

// screen is a terminal that knows what live uses: newline, carriage return, cursor up, erase below.
type screen struct {
	lines []string
	row   int
}

func (s *screen) Write(b []byte) (int, error) {
	text := string(b)
	for len(text) > 0 {
		var n int
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines = s.lines[:s.row]
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &n); err != nil {
				return 0, fmt.Errorf("unknown escape sequence in %q", text)
			}
			s.row -= n
			text = text[strings.IndexByte(text, 'A')+1:]
		case text[0] == '\r':
			text = text[1:]
		default:
			line, rest, _ := strings.Cut(text, "\n")
			s.lines = append(s.lines[:s.row], line)
			s.row++
			text = rest
		}
	}
	return len(b), nil
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }

func TestLiveBlock(t *testing.T) {
	out := &screen{}
	l := &live{w: out, rows: rows{style: Style{Width: 60}, address: 8}, stop: make(chan struct{})}
	l.Event(started("a", 0))
	l.Event(started("b", 90))
	l.Event(started("long-name-that-goes-on-and-on-and-on", 90))
	now := l.nodes.list[2].since.Add(65 * time.Second)
	l.redraw("", now)
	want := "  ⠋ stage.a   1 min 5 s\n  ⠋ stage.b   1 min 5 s of about 1 min 30 s\n  ⠋ stage.long-name-that-goes-on-and-on-and-on  1 min 5 s…"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	l.Event(finishedEvent("a", apply.Ran))
	l.tick++
	l.redraw("", now)
	want = "  ran        stage.a   8,760 rows, 1.10 MB, 1.3 s\n  ⠙ stage.b   1 min 5 s of about 1 min 30 s\n  ⠙ stage.long-name-that-goes-on-and-on-and-on  1 min 5 s…"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	l.Close()
	l.Event(finishedEvent("b", apply.Ran))
	if want = "  ran        stage.a   8,760 rows, 1.10 MB, 1.3 s"; out.String() != want {
		t.Errorf("after Close:\n%s\nwant\n%s", out, want)
	}
}

func TestLiveBlockHasAnEnd(t *testing.T) {
	out := &screen{}
	l := &live{w: out, rows: rows{style: Style{Width: 60}}, stop: make(chan struct{})}
	for i := range 40 {
		l.Event(started(fmt.Sprintf("n%d", i), 0))
	}
	l.redraw("", time.Now())
	if len(out.lines) != maxLive+1 || out.lines[maxLive] != "  … and 28 more" {
		t.Errorf("got\n%s", out)
	}
}

// The sinks are called from many goroutines; this is for the race detector.
func TestSinksAreSafe(t *testing.T) {
	for _, s := range []Style{{}, {Width: 80}} {
		p := NewProgress(&bytes.Buffer{}, planOf(), s)
		done := make(chan bool)
		for i := range 4 {
			go func() {
				for j := range 50 {
					name := fmt.Sprintf("n%d-%d", i, j)
					p.Event(started(name, 1))
					p.Event(finishedEvent(name, apply.Ran))
				}
				done <- true
			}()
		}
		for range 4 {
			<-done
		}
		p.Close()
		p.Close()
	}
}
