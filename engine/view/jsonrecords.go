package view

import (
	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/audit"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/plan"
	"pipe/engine/state"
)

// Why writes the cause of what a plan does to a node: its action and the causes, each with the way to it.
func (j *JSONLines) Why(p *plan.Plan, a addr.Addr, snap *state.Snapshot) {
	line := struct {
		Type      string         `json:"type"`
		Address   addr.Addr      `json:"address"`
		Action    plan.Action    `json:"action"`
		Certainty plan.Certainty `json:"certainty,omitempty"`
		Causes    []plan.Cause   `json:"causes"`
	}{Type: "why", Address: a, Action: plan.NoOp, Causes: []plan.Cause{}}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Address == a {
			line.Action, line.Certainty, line.Causes = c.Action, c.Certainty, plan.Causes(p, snap, a)
		}
	}
	j.Line(line)
}

// Checks writes the results of expectations on a file.
func (j *JSONLines) Checks(dataset string, results []check.Result) {
	for i := range results {
		j.Line(struct {
			Type    string        `json:"type"`
			Dataset string        `json:"dataset"`
			Result  *check.Result `json:"result"`
		}{"check", dataset, &results[i]})
	}
	j.Line(struct {
		Type    string `json:"type"`
		Dataset string `json:"dataset"`
		Success bool   `json:"success"`
		Count   int    `json:"count"`
		Failed  int    `json:"failed"`
	}{"checks", dataset, len(check.Failed(results)) == 0, len(results), len(check.Failed(results))})
}

// Entries writes a line for each entry and each failure.
func (j *JSONLines) Entries(snap *state.Snapshot) {
	for _, a := range sorted(snap.Entries) {
		j.Entry(snap.Entries[a], nil)
	}
	for _, a := range sorted(snap.Failures) {
		j.Entry(nil, snap.Failures[a])
	}
}

// Entry writes the record of a node's last success, and of its last failure.
func (j *JSONLines) Entry(e *state.Entry, f *state.Failure) {
	if e != nil {
		j.Line(struct {
			Type  string       `json:"type"`
			Entry *state.Entry `json:"entry"`
		}{"entry", e})
	}
	if f != nil {
		j.Line(struct {
			Type    string         `json:"type"`
			Failure *state.Failure `json:"failure"`
		}{"failure", f})
	}
}

// Snapshot writes the state's identity and last run, then its entries.
func (j *JSONLines) Snapshot(snap *state.Snapshot) {
	j.Line(struct {
		Type        string        `json:"type"`
		Pipeline    string        `json:"pipeline"`
		Environment string        `json:"environment"`
		Lineage     string        `json:"lineage"`
		Serial      int64         `json:"serial"`
		AuditHead   digest.Digest `json:"audit_head,omitempty"`
		LastRun     *state.Run    `json:"last_run,omitempty"`
	}{"state", snap.Pipeline, snap.Environment, snap.Lineage, snap.Serial, snap.AuditHead, snap.LastRun})
	j.Entries(snap)
}

// Audit writes a line for each audit record.
func (j *JSONLines) Audit(records []audit.Record) {
	for i := range records {
		j.Line(struct {
			Type   string        `json:"type"`
			Record *audit.Record `json:"record"`
		}{"audit_record", &records[i]})
	}
}

// AuditReport writes what verifying an audit log found.
func (j *JSONLines) AuditReport(r audit.Report) {
	j.Line(struct {
		Type    string        `json:"type"`
		Records int           `json:"records"`
		Head    digest.Digest `json:"head,omitempty"`
		Ahead   int           `json:"ahead"`
		Torn    int           `json:"torn"`
	}{"audit_verified", r.Records, r.Head, r.Ahead, r.Torn})
}

// Sweep writes what cleaning up the store removed, or would remove.
func (j *JSONLines) Sweep(r artifact.SweepReport, mode artifact.SweepMode) {
	j.Line(struct {
		Type    string          `json:"type"`
		Preview bool            `json:"preview"`
		Bytes   int64           `json:"bytes"`
		Files   int             `json:"files"`
		Removed []digest.Digest `json:"removed"`
		Kept    int             `json:"kept"`
	}{"sweep", mode == artifact.Preview, r.Bytes, r.Files, append([]digest.Digest{}, r.Removed...), r.KeptArtifacts})
}

// Verify writes what hashing the store again found.
func (j *JSONLines) Verify(r artifact.VerifyReport) {
	problems := []string{}
	for _, p := range r.Problems {
		problems = append(problems, p.Error())
	}
	j.Line(struct {
		Type      string   `json:"type"`
		Artifacts int      `json:"artifacts"`
		Files     int      `json:"files"`
		Bytes     int64    `json:"bytes"`
		Problems  []string `json:"problems"`
	}{"store_verified", r.Artifacts, r.Files, r.Bytes, problems})
}
