package filestate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"pipe/engine/audit"
	"pipe/engine/digest"
)

// TestAuditChain keeps one chain over many leases and a torn line, and finds a record that was taken out of the file.
func TestAuditChain(t *testing.T) {
	s, l := store(t)
	var head digest.Digest
	read := func() (io.ReadCloser, error) { return s.Audit(t.Context()) }
	for round := range 5 {
		log, err := audit.Open(t.Context(), read)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if head, err = log.Append(t.Context(), l, audit.Record{At: time.Unix(int64(i), 0), Action: "apply.started", Run: fmt.Sprint(round)}); err != nil {
				t.Fatal(err)
			}
		}
		l.give(t)
		f, err := os.OpenFile(s.file(auditFile), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(`{"seq":`); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if report := verify(t, s, head); report.Records != 4*(round+1) || report.Torn != 7 || report.Ahead != 0 {
			t.Errorf("round %d: %+v", round, report)
		}
		l = take(t, s)
	}
	if report := verify(t, s, head); report.Records != 20 || report.Torn != 0 {
		t.Errorf("%+v", report)
	}
	raw := readFile(t, s.file(auditFile))
	line := len(raw) / 20
	writeFileAt(t, s.file(auditFile), append(raw[:10*line:10*line], raw[11*line:]...))
	r, err := read()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var problem *audit.Problem
	if _, err := audit.Verify(r, head); !errors.As(err, &problem) {
		t.Errorf("error %v", err)
	}
}

func verify(t *testing.T, s *Store, head digest.Digest) audit.Report {
	t.Helper()
	r, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := audit.Verify(r, head)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
