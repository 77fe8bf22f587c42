package exec

import (
	"io"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	keptBytes = 64 << 10
	keptLines = 20
)

// tail keeps the end of what a program writes.
type tail struct {
	mu  sync.Mutex
	buf []byte
	cut bool
}

// readFrom reads until the end, or until the reader fails.
func (t *tail) readFrom(r io.Reader) {
	piece := make([]byte, 8<<10)
	for {
		n, err := r.Read(piece)
		t.mu.Lock()
		t.buf = append(t.buf, piece[:n]...)
		if over := len(t.buf) - keptBytes; over > keptBytes {
			t.buf, t.cut = append(t.buf[:0], t.buf[over:]...), true
		}
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// String returns whole lines: the first one, if its beginning is gone, might hold the end of a secret.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.buf)
	if t.cut {
		_, s, _ = strings.Cut(s, "\n")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return s
}

// redact replaces the values of secrets, also each line of those that have several, the longest first.
func redact(text string, hidden []string) string {
	var parts []string
	for _, h := range hidden {
		parts = append(parts, h)
		for _, line := range strings.Split(h, "\n") {
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				parts = append(parts, line)
			}
		}
	}
	sort.Slice(parts, func(i, j int) bool { return len(parts[i]) > len(parts[j]) })
	for _, p := range parts {
		if p != "" {
			text = strings.ReplaceAll(text, p, "***")
		}
	}
	return text
}

// lastLines returns the last lines that are not empty at the end.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n\r\t "), "\n")
	if len(lines) > keptLines {
		lines = lines[len(lines)-keptLines:]
	}
	return strings.Join(lines, "\n")
}
