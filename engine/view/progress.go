package view

import (
	"fmt"
	"io"
	"sync"
	"time"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/plan"
)

// Progress is a sink that shows a run while it goes on. Close ends it; nothing is shown after that.
type Progress interface {
	apply.Sink
	Close()
}

// NewProgress returns the sink for a terminal (style has a width) or for anything else.
func NewProgress(w io.Writer, p *plan.Plan, s Style) Progress {
	r := rows{style: s, address: columns(p.Changes).address}
	if s.Width > 0 {
		return newLive(w, r)
	}
	return newPlain(w, r, heartbeat)
}

// heartbeat is how often a node that runs long says so.
const heartbeat = 30 * time.Second

// active is a node that runs.
type active struct {
	address     addr.Addr
	since       time.Time
	said        time.Time // when it was last told of, by plain lines
	estimate    float64   // seconds
	done, total int64
}

// activity is the nodes that run, in the order in which they started.
type activity struct{ list []*active }

// update takes note of an event.
func (a *activity) update(e apply.Event, now time.Time) {
	switch e.Type {
	case apply.NodeStarted:
		a.list = append(a.list, &active{address: e.Address, since: now, said: now, estimate: e.Estimate})
	case apply.NodeProgress:
		for _, n := range a.list {
			if n.address == e.Address {
				n.done, n.total = e.Done, e.Total
			}
		}
	case apply.NodeFinished:
		for i, n := range a.list {
			if n.address == e.Address {
				a.list = append(a.list[:i], a.list[i+1:]...)
				return
			}
		}
	}
}

// note says how far a node is.
func (n *active) note(now time.Time) string {
	elapsed := now.Sub(n.since).Truncate(time.Second)
	text := Duration(elapsed)
	if elapsed < time.Minute {
		text = fmt.Sprintf("%d s", elapsed/time.Second)
	}
	if n.estimate > 0 {
		text += " of about " + seconds(n.estimate)
	}
	switch {
	case n.total > 0:
		text += fmt.Sprintf(", %d%% (%s of %s)", 100*n.done/n.total, Count(n.done), Count(n.total))
	case n.done > 0:
		text += ", " + Count(n.done)
	}
	return text
}

// plain writes a line for each event of note, and one now and then for nodes that run long.
type plain struct {
	mu      sync.Mutex
	w       io.Writer
	rows    rows
	nodes   activity
	every   time.Duration
	stop    chan struct{}
	stopped sync.Once
}

func newPlain(w io.Writer, r rows, every time.Duration) *plain {
	p := &plain{w: w, rows: r, every: every, stop: make(chan struct{})}
	go p.watch()
	return p
}

// watch tells of nodes that run long.
func (p *plain) watch() {
	t := time.NewTicker(p.every / 10)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-t.C:
			p.beat(now)
		}
	}
}

func (p *plain) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nodes.list {
		if now.Sub(n.said) >= p.every {
			n.said = now
			fmt.Fprintln(p.w, p.rows.row("running", dim, n.address.String(), n.note(now)))
		}
	}
}

// Event implements apply.Sink.
func (p *plain) Event(e apply.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes.update(e, time.Now())
	if line := p.rows.event(e); line != "" {
		fmt.Fprintln(p.w, line)
	}
}

// Close implements Progress.
func (p *plain) Close() { p.stopped.Do(func() { close(p.stop) }) }
