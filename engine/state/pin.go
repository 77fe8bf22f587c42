package state

import (
	"pipe/engine/addr"
	"pipe/engine/digest"
)

// Digest names what the entry means to a plan: what was made, from what, under which checks, and where it was put. How and
// when it came to be, and how long that took, is left out, so that a record that was only written again is the same. The
// digest of no entry is "".
func (e *Entry) Digest() digest.Digest {
	if e == nil {
		return ""
	}
	return digest.JSON(struct {
		Address      addr.Addr
		Type         string
		Fingerprint  digest.Digest
		Artifact     digest.Digest
		Checks       digest.Digest
		To           string
		Materialized []Materialized
		Protected    bool
	}{e.Address, e.Type, e.Fingerprint.Digest(), e.Artifact, e.Checks.Digest, e.To, e.Materialized, e.Protected})
}
