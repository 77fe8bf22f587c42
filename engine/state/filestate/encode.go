package filestate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pipe/engine/addr"
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

// errNewer says that a later version of pipe wrote the state.
var errNewer = errors.New("it was written by a newer version of pipe: use that version")

// Encode returns the content of a state file.
func Encode(s *state.Snapshot) ([]byte, error) {
	raw, err := digest.Canonical(s)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written: %w", err)
	}
	body := indent(raw)
	sum := digest.Bytes(body)
	out := make([]byte, 0, len(body)+len(checkStart)+len(sum)+len(checkEnd))
	out = append(append(append(out, checkStart...), sum...), checkEnd...)
	return append(out, body[len(open):]...), nil
}

// Decode reads the content of a state file and refuses one whose checksum is not right.
func Decode(raw []byte) (*state.Snapshot, error) {
	const sumLen = len("sha256:") + 64
	if !bytes.HasPrefix(raw, []byte(checkStart)) || len(raw) < len(checkStart)+sumLen+len(checkEnd) {
		return nil, errors.New("it does not begin with its checksum: it was edited by hand, merged or cut short")
	}
	sum, rest := digest.Digest(raw[len(checkStart):][:sumLen]), raw[len(checkStart)+sumLen+len(checkEnd):]
	body := make([]byte, 0, len(open)+len(rest))
	body = append(append(body, open...), rest...)
	if digest.Bytes(body) != sum {
		return nil, errors.New("its content does not have its checksum: it was edited by hand, merged or cut short")
	}
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	s, err := parse(body)
	if err != nil {
		if json.Unmarshal(body, &version) == nil && version.FormatVersion > state.FormatVersion {
			return nil, errNewer
		}
		return nil, err
	}
	if s.FormatVersion > state.FormatVersion {
		return nil, errNewer
	}
	return s, nil
}

// parse reads the JSON of a snapshot and checks that it can be used.
func parse(body []byte) (*state.Snapshot, error) {
	s := &state.Snapshot{}
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a state: %w", err)
	}
	if s.Entries == nil {
		s.Entries = map[addr.Addr]*state.Entry{}
	}
	if s.Failures == nil {
		s.Failures = map[addr.Addr]*state.Failure{}
	}
	for a, e := range s.Entries {
		if e == nil || e.Address != a {
			return nil, fmt.Errorf("its entry %s is of another address", a)
		}
	}
	for a, f := range s.Failures {
		if f == nil || f.Address != a {
			return nil, fmt.Errorf("its failure %s is of another address", a)
		}
	}
	return s, nil
}

// indentDepth is how deep objects are laid out over lines: the fields of the snapshot, the entries, and their fields.
// What lies deeper stays on the line of its field, which keeps the file small and a change of it readable as a diff,
// and keeps configurations as the canonical bytes that they are.
const indentDepth = 3

// indent lays out compact JSON.
func indent(compact []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(compact) + len(compact)/8)
	depth, objects := 0, make([]bool, 0, 16) // whether each open bracket is laid out
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		if c == '"' {
			end := stringEnd(compact, i)
			out.Write(compact[i:end])
			i = end - 1
			continue
		}
		switch c {
		case '{', '[':
			lay := c == '{' && depth < indentDepth && depth == len(objects) && compact[i+1] != '}'
			objects = append(objects, lay)
			out.WriteByte(c)
			if lay {
				depth++
				newline(&out, depth)
			}
		case '}', ']':
			if objects[len(objects)-1] {
				depth--
				newline(&out, depth)
			}
			objects = objects[:len(objects)-1]
			out.WriteByte(c)
		case ',':
			out.WriteByte(c)
			if len(objects) > 0 && objects[len(objects)-1] {
				newline(&out, depth)
			}
		case ':':
			out.WriteByte(c)
			if len(objects) > 0 && objects[len(objects)-1] {
				out.WriteByte(' ')
			}
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('\n')
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
	out.WriteString(strings.Repeat("  ", depth))
}
