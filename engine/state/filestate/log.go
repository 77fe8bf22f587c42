package filestate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// log is a file to which whole lines are appended durably. It is used within guards only.
type log struct {
	path   string
	f      *os.File
	size   int64
	broken error // what is on disk after size can't be known any more
}

// openLog opens the log at path, creating it. What stands after the last newline was never acknowledged: the process
// that wrote it was killed, and it is cut off.
func openLog(path string) (*log, error) {
	_, err := os.Lstat(path)
	isNew := err != nil
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	a := &log{path: path, f: f}
	if isNew {
		err = syncDir(filepath.Dir(path))
	} else {
		err = a.cut()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

// cut finds the end of the last whole line and truncates the file there.
func (a *log) cut() error {
	fi, err := a.f.Stat()
	if err != nil {
		return err
	}
	end := fi.Size()
	buf := make([]byte, 64<<10)
	for end > 0 {
		n := min(end, int64(len(buf)))
		if _, err := a.f.ReadAt(buf[:n], end-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end = end - n + int64(i) + 1
			break
		}
		end -= n
	}
	a.size = end
	if end == fi.Size() {
		return nil
	}
	if err := a.f.Truncate(end); err != nil {
		return err
	}
	return a.f.Sync()
}

// append adds one line, durably or not at all.
func (a *log) append(line []byte) error {
	if a.broken != nil {
		return a.broken
	}
	if len(line) == 0 || bytes.IndexByte(line, '\n') >= 0 {
		return fmt.Errorf("a record of %s must be one line and not empty", a.path)
	}
	whole := append(bytes.Clone(line), '\n')
	_, err := a.f.WriteAt(whole, a.size)
	if err == nil {
		err = a.f.Sync()
	}
	if err != nil {
		if undo := errors.Join(a.f.Truncate(a.size), a.f.Sync()); undo != nil {
			a.broken = fmt.Errorf("%s cannot be written to after an earlier error: %w", a.path, undo)
		}
		return err
	}
	a.size += int64(len(whole))
	return nil
}

// empty drops all lines. The next append makes that durable.
func (a *log) empty() error {
	if a.broken != nil {
		return a.broken
	}
	if err := a.f.Truncate(0); err != nil {
		return err
	}
	a.size = 0
	return nil
}

// lines calls visit with every line and its number, from 1.
func (a *log) lines(visit func(number int, line []byte) error) error {
	raw, err := io.ReadAll(io.NewSectionReader(a.f, 0, a.size))
	if err != nil {
		return err
	}
	for number := 1; len(raw) > 0; number++ {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		if err := visit(number, line); err != nil {
			return err
		}
		raw = rest
	}
	return nil
}

// rewrite replaces the log by these lines, whole or not at all.
func (a *log) rewrite(lines [][]byte) error {
	raw := append(bytes.Join(lines, []byte{'\n'}), '\n')
	if len(lines) == 0 {
		raw = nil
	}
	rename, err := writeNew(a.path, raw)
	if err != nil {
		return err
	}
	if err := rename(); err != nil {
		return err
	}
	f, err := os.OpenFile(a.path, os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	a.f.Close()
	a.f, a.size = f, int64(len(raw))
	return nil
}

// compactAbove is the size from which a log is rewritten when most of it is obsolete.
const compactAbove = 1 << 20
