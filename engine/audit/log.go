package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"pipe/engine/digest"
)

// Appender appends a line durably; the lease on a state is one.
type Appender interface {
	AppendAudit(ctx context.Context, line []byte) error
}

// Log appends records to the chain. It must be opened by the holder of the lease and is of use as long as that is held,
// because only then no other record can come between.
type Log struct {
	read func() (io.ReadCloser, error)

	mu    sync.Mutex
	known bool // whether seq and head are those of the last record
	seq   int64
	head  digest.Digest
}

// Open finds the end of the log that read reads, oldest record first. Where the reader can seek, only the end is read.
func Open(ctx context.Context, read func() (io.ReadCloser, error)) (*Log, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l := &Log{read: read}
	if err := l.find(); err != nil {
		return nil, err
	}
	return l, nil
}

// Head returns the hash of the last record, "" if there is none.
func (l *Log) Head() digest.Digest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Append gives the record its place in the chain, appends it, and returns its hash, the new head.
func (l *Log) Append(ctx context.Context, to Appender, r Record) (digest.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		if err := l.find(); err != nil {
			return "", err
		}
	}
	if r.At.IsZero() || r.Action == "" {
		return "", errors.New("an audit record needs a time and an action")
	}
	r.At = r.At.UTC()
	for _, text := range []*string{&r.Actor, &r.Action, &r.Outcome, &r.Pipeline, &r.Environment, &r.Run, &r.SourceRevision} {
		*text = strings.ToValidUTF8(*text, "\uFFFD") // else it would not read back as it was hashed
	}
	r.Seq, r.Prev = l.seq+1, l.head
	var err error
	if r.Hash, err = r.sum(); err != nil {
		return "", fmt.Errorf("audit record cannot be written: %w", err)
	}
	line, err := digest.Canonical(r)
	if err != nil {
		return "", fmt.Errorf("audit record cannot be written: %w", err)
	}
	if r, err = parse(line); err != nil { // such as details that are no plain JSON
		return "", fmt.Errorf("audit record cannot be written: read back, %w", err)
	}
	l.known = false // whether a line that gave an error was written can't be known
	if err := to.AppendAudit(ctx, line); err != nil {
		return "", err
	}
	l.known, l.seq, l.head = true, r.Seq, r.Hash
	return r.Hash, nil
}

// find reads the last record.
func (l *Log) find() error {
	r, err := l.read()
	if err != nil {
		return err
	}
	defer r.Close()
	line, err := lastLine(r)
	if err != nil {
		return fmt.Errorf("the audit log cannot be read: %w", err)
	}
	l.known, l.seq, l.head = true, 0, ""
	if line == nil {
		return nil
	}
	last, err := parse(line)
	if err != nil {
		l.known = false
		return fmt.Errorf("the last record of the audit log is damaged: %w; nothing is appended to it: run pipe audit verify", err)
	}
	l.seq, l.head = last.Seq, last.Hash
	return nil
}

// tailSize is how much of the end is read at first.
const tailSize = 64 << 10

// lastLine returns the last line that ends in a newline, without it; nil if there is none.
func lastLine(r io.Reader) ([]byte, error) {
	s, ok := r.(io.Seeker)
	if !ok {
		all, err := io.ReadAll(r)
		return lastOf(all, true), err
	}
	size, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	for n := int64(tailSize); ; n *= 4 {
		start := max(size-n, 0)
		if _, err := s.Seek(start, io.SeekStart); err != nil {
			return nil, err
		}
		tail, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if line := lastOf(tail, start == 0); line != nil || start == 0 {
			return line, nil
		}
	}
}

// lastOf returns the last whole line of b. If b does not start where the log does, its first line may be cut.
func lastOf(b []byte, fromStart bool) []byte {
	end := bytes.LastIndexByte(b, '\n')
	if end < 0 {
		return nil
	}
	start := bytes.LastIndexByte(b[:end], '\n') + 1
	if start == 0 && !fromStart {
		return nil
	}
	return b[start:end]
}
