package filestate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"pipe/engine/digest"
	"pipe/engine/state"
)

// A state file is the JSON object of the snapshot with the field "checksum" before all others. The checksum is the
// digest of the file without that line, so that it is checked before anything is parsed.
const (
	open       = "{\n"
	checkStart = open + `  "checksum": "`
	checkEnd   = "\",\n"
)

// Where the entries stand in the layout. No newline is ever within a string, so these can't be content.
const (
	noEntries  = "\n  \"entries\": null"
	entriesAt  = "\n  \"entries\": {"
	entriesEnd = "\n  }"
	entryAt    = "\n    \""
	entryMid   = "\": {\n"
	entryEnd   = "\n    }"
)

// Encode returns the content of a state file.
func Encode(s *state.Snapshot) ([]byte, error) {
	var e encoder
	return e.encode(s)
}

// encoder encodes snapshots. It keeps the encoding of entries, which are replaced and never changed, because a run
// writes a snapshot for each node and only one entry is new in it.
type encoder struct{ blocks map[*state.Entry][]byte }

func (e *encoder) encode(s *state.Snapshot) ([]byte, error) {
	if err := e.prepare(s); err != nil {
		return nil, err
	}
	head := *s
	head.Entries = nil
	raw, err := digest.Canonical(&head)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written: %w", err)
	}
	before, after, _ := bytes.Cut(append(indent(raw, 0), '\n'), []byte(noEntries))

	size := len(checkStart) + 100 + len(before) + len(after)
	for _, b := range e.blocks {
		size += len(b) + 200
	}
	sumAt := len(checkStart)
	out := make([]byte, 0, size)
	out = append(out, checkStart...)
	out = append(out, strings.Repeat(" ", sumLen)...)
	out = append(out, checkEnd...)
	bodyAt := len(out)
	out = append(out, before[len(open):]...)
	if out, err = e.entries(out, s); err != nil {
		return nil, err
	}
	out = append(out, after...)
	copy(out[sumAt:], sum(out[bodyAt:]))
	return out, nil
}

// entries appends the entries in the order of their addresses.
func (e *encoder) entries(out []byte, s *state.Snapshot) ([]byte, error) {
	spelt := make(map[string]*state.Entry, len(s.Entries))
	for a, entry := range s.Entries {
		spelt[a.String()] = entry
	}
	out = append(out, entriesAt...)
	for i, name := range slices.Sorted(maps.Keys(spelt)) {
		key, err := digest.Canonical(name)
		if err != nil {
			return nil, fmt.Errorf("the state cannot be written: %w", err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n    "...)
		out = append(append(append(out, key...), ": "...), e.blocks[spelt[name]]...)
	}
	if len(s.Entries) > 0 {
		return append(out, entriesEnd...), nil
	}
	return append(out, '}'), nil
}

// prepare encodes what is new among the entries and forgets those that are gone.
func (e *encoder) prepare(s *state.Snapshot) error {
	type job struct {
		entry *state.Entry
		block []byte
	}
	blocks := make(map[*state.Entry][]byte, len(s.Entries))
	var jobs []*job
	for a, entry := range s.Entries {
		if entry == nil || entry.Address != a {
			return fmt.Errorf("the state cannot be written: the entry %s is of another address", a)
		}
		if b, ok := e.blocks[entry]; ok {
			blocks[entry] = b
		} else {
			jobs = append(jobs, &job{entry: entry})
		}
	}
	err := chunks(len(jobs), func(from, to int) error {
		for _, j := range jobs[from:to] {
			raw, err := digest.Canonical(j.entry)
			if err != nil {
				return fmt.Errorf("the state cannot be written: entry %s: %w", j.entry.Address, err)
			}
			j.block = indent(raw, entryDepth)
		}
		return nil
	})
	for _, j := range jobs {
		blocks[j.entry] = j.block
	}
	if err == nil {
		e.blocks = blocks
	}
	return err
}

// chunks calls work for parts of 0 to n at the same time.
func chunks(n int, work func(from, to int) error) error {
	const parts, least = 8, 16
	size := max(least, (n+parts-1)/parts)
	var group errgroup.Group
	for from := 0; from < n; from += size {
		group.Go(func() error { return work(from, min(from+size, n)) })
	}
	return group.Wait()
}

// indentDepth is how deep objects are laid out over lines: the fields of the snapshot, the entries, and their fields.
// What lies deeper stays on the line of its field, which keeps the file small and a change of it readable as a diff,
// and keeps configurations as the canonical bytes that they are. Entries lie at entryDepth.
const (
	indentDepth = 3
	entryDepth  = 2
)

// indent lays out compact JSON that stands at a depth.
func indent(compact []byte, depth int) []byte {
	var out bytes.Buffer
	out.Grow(len(compact) + len(compact)/8)
	laid := make([]bool, 0, 16) // whether each open bracket is laid out
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		inside := len(laid) > 0 && laid[len(laid)-1]
		switch c {
		case '"':
			end := stringEnd(compact, i)
			out.Write(compact[i:end])
			i = end - 1
			continue
		case '{', '[':
			lay := c == '{' && depth < indentDepth && (inside || len(laid) == 0) && compact[i+1] != '}'
			laid = append(laid, lay)
			out.WriteByte(c)
			if lay {
				depth++
				newline(&out, depth)
			}
			continue
		case '}', ']':
			if inside {
				depth--
				newline(&out, depth)
			}
			laid = laid[:len(laid)-1]
		}
		out.WriteByte(c)
		switch {
		case inside && c == ',':
			newline(&out, depth)
		case inside && c == ':':
			out.WriteByte(' ')
		}
	}
	return out.Bytes()
}

// stringEnd returns the place after the string that starts at i.
func stringEnd(b []byte, i int) int {
	for j := i + 1; ; j++ {
		switch b[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
}

func newline(out *bytes.Buffer, depth int) {
	out.WriteByte('\n')
	for range depth {
		out.WriteString("  ")
	}
}
