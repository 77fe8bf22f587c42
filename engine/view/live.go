package view

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"pipe/engine/apply"
)

// live keeps a block of the running nodes at the bottom of a terminal; finished nodes scroll away above it. It uses
// three escape sequences that every terminal has: cursor up, carriage return, erase to the end of the screen.
type live struct {
	mu      sync.Mutex
	w       io.Writer
	rows    rows
	nodes   activity
	drawn   int // lines of the block on the screen
	tick    int
	closed  bool
	stop    chan struct{}
	stopped sync.Once
}

// maxLive is how many running nodes are shown at once.
const maxLive = 12

func newLive(w io.Writer, r rows) *live {
	l := &live{w: w, rows: r, stop: make(chan struct{})}
	go l.animate()
	return l
}

func (l *live) animate() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case now := <-t.C:
			l.mu.Lock()
			l.tick++
			l.redraw("", now)
			l.mu.Unlock()
		}
	}
}

// Event implements apply.Sink.
func (l *live) Event(e apply.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.nodes.update(e, now)
	if line := l.rows.event(e); line != "" {
		l.redraw(line+"\n", now)
	}
}

// redraw replaces the block on the screen by finished lines and the present block, in one write so that nothing
// flickers.
func (l *live) redraw(above string, now time.Time) {
	if l.closed {
		return
	}
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	b.WriteString(above)
	lines := l.block(now)
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	if b.Len() > 0 {
		io.WriteString(l.w, b.String())
	}
}

func (l *live) block(now time.Time) []string {
	spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	var lines []string
	for i, n := range l.nodes.list {
		if i == maxLive {
			lines = append(lines, l.rows.style.paint(dim, fmt.Sprintf("  … and %d more", len(l.nodes.list)-maxLive)))
			break
		}
		text := clip(fmt.Sprintf("%s  %s", pad(n.address.String(), l.rows.address), n.note(now)), max(8, l.rows.style.Width-6))
		lines = append(lines, "  "+l.rows.style.paint(cyan, string(spinner[l.tick%len(spinner)]))+" "+text)
	}
	return lines
}

// Close implements Progress: the block is taken off the screen.
func (l *live) Close() {
	l.stopped.Do(func() { close(l.stop) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn > 0 && !l.closed {
		fmt.Fprintf(l.w, "\x1b[%dA\r\x1b[J", l.drawn)
		l.drawn = 0
	}
	l.closed = true
}
