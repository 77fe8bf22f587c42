package duck

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// peek looks at the beginning of a file. It reports whether the file holds nothing at all, and refuses one that plainly
// has another form than its format.
func peek(path string, format Format) (empty bool, err error) {
	if format == Parquet {
		return false, exists(path)
	}
	r, done, err := open(path)
	if err != nil {
		return false, err
	}
	defer done()
	first, err := nextByte(r)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s cannot be read: %w", base(path), plain(err))
	}
	switch {
	case format == JSON && first != '[':
		return false, fmt.Errorf("%s holds no JSON array: it begins with %q. Put the objects between [ and ], or set format = \"ndjson\" if the file has one object a line", base(path), first)
	case format == NDJSON && first == '[':
		return false, fmt.Errorf("%s begins with \"[\", so it is no NDJSON: set format = \"json\"", base(path))
	case format == NDJSON && first != '{':
		return false, fmt.Errorf("%s is no NDJSON: it begins with %q, and each line must be an object in { and }", base(path), first)
	case format != JSON:
		return false, nil
	}
	second, err := nextByte(r)
	switch {
	case err != nil:
		return false, fmt.Errorf("%s is cut off: its array has no closing bracket", base(path))
	case second == ']':
		return true, nil
	case second != '{':
		return false, fmt.Errorf("the array in %s does not hold objects: its first element begins with %q, and each element must be an object of columns", base(path), second)
	}
	return false, nil
}

func exists(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s cannot be read: %w", base(path), plain(err))
	}
	return nil
}

// open opens a file and unpacks it if its name ends in .gz.
func open(path string) (*bufio.Reader, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s cannot be read: %w", base(path), plain(err))
	}
	done := func() { f.Close() }
	if !strings.HasSuffix(strings.ToLower(path), ".gz") {
		return bufio.NewReaderSize(f, 1<<16), done, nil
	}
	z, err := gzip.NewReader(bufio.NewReader(f))
	if errors.Is(err, io.EOF) {
		return bufio.NewReader(strings.NewReader("")), done, nil
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("%s ends in .gz and is not packed with gzip: %w", base(path), err)
	}
	return bufio.NewReaderSize(z, 1<<16), done, nil
}

// plain takes the path out of an error of the file system.
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// nextByte returns the next byte that is no white space and no byte order mark.
func nextByte(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf:
		default:
			return b, nil
		}
	}
}
