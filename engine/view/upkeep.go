package view

import (
	"encoding/json"
	"fmt"
	"io"

	"pipe/engine/artifact"
	"pipe/engine/audit"
)

// Audit writes a table of audit records.
func Audit(w io.Writer, records []audit.Record, s Style) {
	if len(records) == 0 {
		fmt.Fprintln(w, "Nothing is recorded yet.")
		return
	}
	t := &table{header: []string{"SEQ", "AT", "ACTION", "OUTCOME", "RUN", "BY", "HASH"}, right: map[int]bool{0: true}}
	for _, r := range records {
		t.add(Count(r.Seq), moment(r.At), r.Action, r.Outcome, r.Run, r.Actor, r.Hash.Short())
	}
	t.write(w, s)
}

// AuditReport writes what verifying an audit log found.
func AuditReport(w io.Writer, r audit.Report) {
	fmt.Fprintf(w, "The audit log is whole: %s, head %s.\n", Plural(int64(r.Records), "record", "records"), r.Head)
	if r.Ahead > 0 {
		fmt.Fprintf(w, "%s not in the state yet: a run was cut off after writing them.\n", Plural(int64(r.Ahead), "record is", "records are"))
	}
	if r.Torn > 0 {
		fmt.Fprintf(w, "%s follow the last record: a crash while writing leaves them, the next apply cuts them off.\n", Bytes(int64(r.Torn)))
	}
}

// RunRecords writes what the audit log has of one run.
func RunRecords(w io.Writer, records []audit.Record, s Style) {
	last := records[len(records)-1]
	fmt.Fprintf(w, "%s\n", s.paint(bold, "run "+last.Run))
	pairs(w, s, "  ", "pipeline", last.Pipeline+" in "+last.Environment, "plan", string(last.PlanDigest), "by", last.Actor, "revision", last.SourceRevision)
	for _, r := range records {
		pairs(w, s, "  ", r.Action, moment(r.At)+"  "+r.Outcome)
	}
	var details struct {
		Nodes []struct {
			Address  string `json:"address"`
			Outcome  string `json:"outcome"`
			Artifact string `json:"artifact"`
			Error    string `json:"error"`
		} `json:"nodes"`
	}
	if json.Unmarshal(last.Details, &details) != nil || len(details.Nodes) == 0 {
		return
	}
	t := &table{header: []string{"OUTCOME", "ADDRESS", "ARTIFACT", "ERROR"}, indent: "  "}
	for _, n := range details.Nodes {
		t.add(n.Outcome, n.Address, shortDigest(n.Artifact), clip(printable(firstLine(n.Error)), 80))
	}
	fmt.Fprintln(w)
	t.write(w, s)
}

func shortDigest(d string) string {
	if d == "" {
		return ""
	}
	return short(json.RawMessage(`"` + d + `"`))
}

// Sweep writes what cleaning up the store removes.
func Sweep(w io.Writer, r artifact.SweepReport, s Style) {
	if r.Artifacts+r.Files+r.Fingerprints == 0 {
		fmt.Fprintf(w, "%s Every artifact is in use: %s, %s.\n", s.paint(bold, "Nothing to remove."),
			Plural(int64(r.KeptArtifacts), "artifact", "artifacts"), Bytes(r.KeptBytes))
		return
	}
	for _, d := range r.Removed {
		fmt.Fprintf(w, "  %s %s\n", s.paint(red, "-"), d)
	}
	fmt.Fprintf(w, "%s %s, %s and %s to remove, %s; %s kept, %s.\n", s.paint(bold, "Store:"),
		Plural(int64(r.Artifacts), "artifact", "artifacts"), Plural(int64(r.Files), "file", "files"),
		Plural(int64(r.Fingerprints), "cached result", "cached results"), Bytes(r.Bytes),
		Plural(int64(r.KeptArtifacts), "artifact", "artifacts"), Bytes(r.KeptBytes))
}

// Verify writes what hashing the store again found.
func Verify(w io.Writer, r artifact.VerifyReport, s Style) {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  %s %s\n", s.paint(red, "damaged:"), p)
	}
	counts := fmt.Sprintf("%s, %s, %s", Plural(int64(r.Artifacts), "artifact", "artifacts"), Plural(int64(r.Files), "file", "files"), Bytes(r.Bytes))
	if len(r.Problems) == 0 {
		fmt.Fprintf(w, "%s %s.\n", s.paint(green, "The store is whole:"), counts)
		return
	}
	fmt.Fprintf(w, "%s %s among %s. What is needed is made again by the next apply.\n", s.paint(red, "The store is damaged:"),
		Plural(int64(len(r.Problems)), "problem", "problems"), counts)
}
