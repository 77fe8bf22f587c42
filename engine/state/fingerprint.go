package state

import (
	"encoding/json"

	"pipe/engine/digest"
)

// Fingerprint is what went into a node, in labelled parts. It is free of names, so that a rename recomputes nothing.
type Fingerprint struct {
	Version     string          `json:"version"` // of this form, and the salt of the engine
	Kind        string          `json:"kind"`
	Type        string          `json:"type"`
	Revision    int             `json:"revision"`
	Config      json.RawMessage `json:"config"`
	Observation digest.Digest   `json:"observation,omitempty"`
	Inputs      []InputPart     `json:"inputs,omitempty"`
}

// FingerprintVersion is the present version of the form.
const FingerprintVersion = "v1"

// InputPart is one input of a fingerprint: its label and the artifact's digest.
type InputPart struct {
	Label  string        `json:"label"`
	Digest digest.Digest `json:"digest"`
}

// Digest names the fingerprint.
func (f Fingerprint) Digest() digest.Digest { return digest.JSON(f) }
