package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"pipe/engine/digest"
)

// Report is what Verify found.
type Report struct {
	Records int           // whole records, up to the first bad one
	Head    digest.Digest // hash of the last of them
	// Ahead is how many records follow the head that the state remembers: a crash between a record and the state leaves
	// them. Of those, losing the last ones can't be noticed.
	Ahead int
	// Torn is how many bytes follow the last newline: a crash while writing leaves them, the next apply cuts them off. They
	// are no record.
	Torn int
}

// ProblemKind says what is wrong with a log.
type ProblemKind string

// The kinds of problems.
const (
	Malformed    ProblemKind = "malformed"     // the line is no record
	HashMismatch ProblemKind = "hash_mismatch" // the record was changed
	SeqGap       ProblemKind = "seq_gap"       // records are missing, added or out of order
	BrokenChain  ProblemKind = "broken_chain"  // the record does not follow the one before it
	HeadMissing  ProblemKind = "head_missing"  // the record that the state remembers is not in the log
)

// Problem is the first bad record of a log.
type Problem struct {
	Kind ProblemKind
	Line int   // from 1
	Seq  int64 // of the record as it stands there; the expected one if it can't be read
	What string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("audit log: line %d, record %d: %s", p.Line, p.Seq, p.What)
}

// Verify proves that the log that r reads is whole and holds head, the hash that the state remembers ("" if it remembers
// none). The error is a *Problem about the first bad record, or one of reading.
func Verify(r io.Reader, head digest.Digest) (Report, error) {
	var report Report
	found := head == ""
	for item, err := range lines(r) {
		if err != nil {
			return report, fmt.Errorf("the audit log cannot be read: %w", err)
		}
		if item.torn {
			report.Torn = len(item.text)
			break
		}
		rec, problem := follow(item, report)
		if problem != nil {
			return report, problem
		}
		report.Records, report.Head = item.number, rec.Hash
		if found {
			report.Ahead++
		}
		found = found || rec.Hash == head
	}
	if !found {
		return report, &Problem{Kind: HeadMissing, Line: report.Records + 1, Seq: int64(report.Records) + 1,
			What: fmt.Sprintf("the log ends with record %d, and none of its records is %s, up to which the state knows it: it was cut short, or replaced", report.Records, head)}
	}
	return report, nil
}

// follow checks that a line is the record that follows those of the report.
func follow(item line, report Report) (Record, *Problem) {
	want := int64(report.Records) + 1
	rec, err := parse(item.text)
	switch {
	case err != nil && rec.Hash == "":
		return rec, &Problem{Kind: Malformed, Line: item.number, Seq: want, What: err.Error()}
	case err != nil:
		return rec, &Problem{Kind: HashMismatch, Line: item.number, Seq: rec.Seq, What: err.Error()}
	case rec.Seq != want:
		return rec, &Problem{Kind: SeqGap, Line: item.number, Seq: rec.Seq,
			What: fmt.Sprintf("record %d must stand here: records were taken out, added or moved", want)}
	case rec.Prev != report.Head:
		return rec, &Problem{Kind: BrokenChain, Line: item.number, Seq: rec.Seq,
			What: "it does not name the hash of the record before it: that one was replaced, or this one was"}
	}
	return rec, nil
}

// Records reads the records one after the other, oldest first, without verifying how they hang together. It ends at the
// first that is damaged, with a *Problem.
func Records(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for item, err := range lines(r) {
			if err != nil {
				yield(Record{}, fmt.Errorf("the audit log cannot be read: %w", err))
				return
			}
			if item.torn {
				return
			}
			rec, err := parse(item.text)
			if err != nil {
				yield(Record{}, &Problem{Kind: HashMismatch, Line: item.number, Seq: rec.Seq, What: err.Error()})
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// line is one line of a log.
type line struct {
	number int
	text   []byte // without the newline
	torn   bool   // it has none
}

func lines(r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		for number := 1; ; number++ {
			text, err := br.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(line{}, err)
				return
			}
			if err != nil {
				if len(text) > 0 {
					yield(line{number: number, text: text, torn: true}, nil)
				}
				return
			}
			if !yield(line{number: number, text: bytes.TrimSuffix(text, []byte{'\n'})}, nil) {
				return
			}
		}
	}
}
