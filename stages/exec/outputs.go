package exec

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"pipe/engine/stage"
	"pipe/stages/internal/glob"
)

// metrics reads a flat JSON object of numbers.
func metrics(out *stage.Output, name string) error {
	b, err := os.ReadFile(out.Path(name))
	if err != nil {
		return glob.Plain(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%s is no JSON object of numbers: %w", name, err)
	}
	for _, k := range sortedNames(m) {
		v, ok := m[k].(float64)
		if !ok {
			return fmt.Errorf("%s: %q is no number: it must be one object of numbers, such as {\"auc\": 0.7}", name, k)
		}
		if err := out.Metric(k, v); err != nil {
			return err
		}
	}
	return nil
}

// isArray reports whether a file, which may be packed, begins with a bracket.
func isArray(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return false
		}
	}
	b := bufio.NewReader(r)
	for {
		c, err := b.ReadByte()
		if err != nil || strings.IndexByte(" \t\r\n", c) < 0 {
			return err == nil && c == '['
		}
	}
}

// holds reports whether a file contains one of the texts. Short texts are not looked for: they are found everywhere.
func holds(path string, texts []string) (bool, error) {
	longest := 0
	for _, t := range texts {
		if len(t) >= minSecret {
			longest = max(longest, len(t))
		}
	}
	if longest == 0 {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, glob.Plain(err)
	}
	defer f.Close()
	buf := make([]byte, 0, 1<<20+longest)
	for {
		n, err := io.ReadFull(f, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		for _, t := range texts {
			if len(t) >= minSecret && bytes.Contains(buf, []byte(t)) {
				return true, nil
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return false, nil
		case err != nil:
			return false, glob.Plain(err)
		}
		keep := min(longest-1, len(buf)) // a text may lie across two pieces
		buf = buf[:copy(buf[:cap(buf)], buf[len(buf)-keep:])]
	}
}

// minSecret is the length from which a secret's value is looked for in outputs.
const minSecret = 8
