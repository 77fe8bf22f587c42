package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pipe/engine/digest"
)

// Record is one thing that was done. Seq, Prev and Hash are given by Log.Append.
type Record struct {
	Seq            int64           `json:"seq"` // from 1, without gaps
	At             time.Time       `json:"at"`
	Actor          string          `json:"actor"`   // user@host
	Action         string          `json:"action"`  // apply.started, apply.finished, state.rm, …
	Outcome        string          `json:"outcome"` // "" while it is not known yet
	Pipeline       string          `json:"pipeline"`
	Environment    string          `json:"environment"`
	Run            string          `json:"run,omitempty"`
	PlanDigest     digest.Digest   `json:"plan_digest,omitempty"`
	SourceRevision string          `json:"source_revision,omitempty"`
	Details        json.RawMessage `json:"details,omitempty"`
	Prev           digest.Digest   `json:"prev"`           // hash of the record before; "" in the first
	Hash           digest.Digest   `json:"hash,omitempty"` // of the canonical JSON of the record without it
}

// sum returns the hash that the record must have.
func (r Record) sum() (digest.Digest, error) {
	r.Hash = ""
	b, err := digest.Canonical(r)
	if err != nil {
		return "", err
	}
	return digest.Bytes(b), nil
}

// parse reads a line and checks that it is a record, in the one spelling that a record has, with the hash that it must
// have. Only the exact bytes are accepted, because a hash of decoded values would not see a change of their spelling.
func parse(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, fmt.Errorf("it is malformed: %w", err)
	}
	want, err := r.sum()
	if err != nil {
		return Record{}, fmt.Errorf("it is malformed: %w", err)
	}
	if r.Hash != want {
		return r, errors.New("its content does not have its hash: it was changed")
	}
	again, err := digest.Canonical(r)
	if err != nil {
		return Record{}, fmt.Errorf("it is malformed: %w", err)
	}
	if !bytes.Equal(again, line) {
		return r, errors.New("it is not spelt as it was written: it was changed")
	}
	return r, nil
}
