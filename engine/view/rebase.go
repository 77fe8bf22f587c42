package view

import (
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// Rebased writes what became of a plan that was made again: c is nil where nothing differs in meaning and the plan stays
// what it is. reads says what the old plan read and has changed.
func (j *JSONLines) Rebased(old, next digest.Digest, c *plan.Comparison, reads []string) {
	j.Line(struct {
		Type       string           `json:"type"`
		Old        digest.Digest    `json:"old"`
		New        digest.Digest    `json:"new"`
		Kept       bool             `json:"kept"`
		Reads      []string         `json:"reads,omitempty"`
		Comparison *plan.Comparison `json:"comparison,omitempty"`
	}{"rebase", old, next, old == next, reads, c})
}
