package view

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/state"
)

// Snapshot writes what is remembered of a pipeline: the last run, then all entries and failures.
func Snapshot(w io.Writer, snap *state.Snapshot, s Style) {
	fmt.Fprintf(w, "%s\n", s.paint(bold, fmt.Sprintf("%s in %s, serial %d", snap.Pipeline, snap.Environment, snap.Serial)))
	if r := snap.LastRun; r != nil {
		Run(w, r, s)
	}
	fmt.Fprintln(w)
	Entries(w, snap, s)
}

// Run writes one run.
func Run(w io.Writer, r *state.Run, s Style) {
	pairs(w, s, "  ",
		"run", r.ID,
		"outcome", r.Outcome,
		"plan", string(r.PlanDigest),
		"started", moment(r.Started),
		"finished", finished(r),
		"by", r.Actor,
		"revision", r.SourceRevision)
}

func finished(r *state.Run) string {
	if r.Finished == nil {
		return ""
	}
	return moment(*r.Finished)
}

// pairs writes names with their values; a value that is empty is left out with its name.
func pairs(w io.Writer, s Style, indent string, kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			fmt.Fprintf(w, "%s%s  %s\n", indent, s.paint(dim, pad(kv[i], 11)), kv[i+1])
		}
	}
}

// Entries writes a table of all entries, and of the nodes whose last attempt failed.
func Entries(w io.Writer, snap *state.Snapshot, s Style) {
	if len(snap.Entries) == 0 && len(snap.Failures) == 0 {
		fmt.Fprintln(w, "Nothing is recorded yet.")
		return
	}
	t := &table{header: []string{"ADDRESS", "TYPE", "ARTIFACT", "ROWS", "SIZE", "MADE"}, right: map[int]bool{3: true, 4: true}}
	for _, a := range sorted(snap.Entries) {
		e := snap.Entries[a]
		rows := ""
		if e.Info.Main != "" {
			rows = Count(e.Info.Rows)
		}
		t.add(a.String(), e.Type, e.Artifact.Short(), rows, Bytes(e.Bytes), moment(e.Run.At))
	}
	if len(t.rows) > 0 {
		t.write(w, s)
	}
	for _, a := range sorted(snap.Failures) {
		f := snap.Failures[a]
		fmt.Fprintf(w, "%s %s\n", s.paint(red, a.String()+" failed last:"), printable(firstLine(f.Error)))
	}
}

func sorted[V any](m map[addr.Addr]V) []addr.Addr {
	list := make([]addr.Addr, 0, len(m))
	for a := range m {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Compare(list[j]) < 0 })
	return list
}

// Entry writes all that is recorded of one node: what it made, what went into it, its checks, how it came to be.
func Entry(w io.Writer, e *state.Entry, s Style) {
	fmt.Fprintf(w, "%s %s\n", s.paint(bold, e.Address.String()), s.paint(dim, "("+e.Type+")"))
	rows := ""
	if e.Info.Main != "" {
		rows = Count(e.Info.Rows)
	}
	pairs(w, s, "  ", "artifact", string(e.Artifact), "table", e.Info.Main, "rows", rows, "size", Bytes(e.Bytes), "to", e.To)
	for _, m := range e.Materialized {
		pairs(w, s, "  ", "file", m.Path+"  "+m.File.Digest.Short()+"  "+Bytes(m.File.Size))
	}
	mapping(w, "metrics", metricTexts(e.Info.Metrics), s)
	mapping(w, "facts", e.Info.Facts, s)
	fingerprint(w, e, s)
	checks(w, e.Checks, s)
	provenance(w, e.Run, s)
	if n := len(e.History); n > 0 {
		last := e.History[n-1]
		pairs(w, s, "    ", "measured", fmt.Sprintf("%s%s", Plural(int64(n), "run", "runs"), s.took(", the last took ", last.Seconds)))
	}
}

func metricTexts(m map[string]float64) map[string]string {
	texts := make(map[string]string, len(m))
	for k, v := range m {
		texts[k] = fmt.Sprintf("%.6g", v)
	}
	return texts
}

func mapping(w io.Writer, title string, m map[string]string, s Style) {
	if len(m) == 0 {
		return
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	t := &table{header: []string{"", ""}, indent: "    "}
	for _, k := range keys {
		t.add(k, printable(m[k]))
	}
	fmt.Fprintf(w, "  %s\n", s.paint(bold, title))
	t.write(w, s)
}

// fingerprint writes the parts that went into a node.
func fingerprint(w io.Writer, e *state.Entry, s Style) {
	f := e.Fingerprint
	fmt.Fprintf(w, "  %s %s\n", s.paint(bold, "fingerprint"), f.Digest())
	pairs(w, s, "    ", "form", f.Version, "type", fmt.Sprintf("%s %s revision %d", f.Kind, f.Type, f.Revision))
	for _, l := range settings(f.Config) {
		fmt.Fprintf(w, "    %s\n", l)
	}
	pairs(w, s, "    ", "observed", string(f.Observation))
	from := map[string]string{}
	for _, in := range e.Inputs {
		from[in.Label] = in.Address.String()
	}
	for _, in := range f.Inputs {
		pairs(w, s, "    ", "input", fmt.Sprintf("%s = %s  %s", in.Label, from[in.Label], in.Digest))
	}
}

// settings lists a configuration as attributes.
func settings(config []byte) []string {
	m := fieldsOf(config)
	var lines []string
	for _, k := range union(m, nil) {
		if !onlyInputs(m[k]) { // they have lines of their own
			lines = append(lines, k+" = "+short(m[k]))
		}
	}
	return lines
}

// onlyInputs reports whether a value is made of references alone.
func onlyInputs(raw json.RawMessage) bool {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, x := range list {
			if !onlyInputs(x) {
				return false
			}
		}
		return len(list) > 0
	}
	m := fieldsOf(raw)
	if _, is := m["$input"]; is {
		return true
	}
	for _, x := range m {
		if !onlyInputs(x) {
			return false
		}
	}
	return len(m) > 0
}

func checks(w io.Writer, c state.Checks, s Style) {
	if len(c.Results) == 0 {
		return
	}
	fmt.Fprintf(w, "  %s\n", s.paint(bold, "checks"))
	for i := range c.Results {
		r := &c.Results[i]
		fmt.Fprintf(w, "    %s  %s\n", pad(mark(r), 4), messageOf(r))
	}
}

func provenance(w io.Writer, p state.Provenance, s Style) {
	how := "made"
	if p.Restored {
		how = "restored from the store"
	}
	fmt.Fprintf(w, "  %s\n", s.paint(bold, how))
	pairs(w, s, "    ", "run", p.ID, "plan", string(p.PlanDigest), "at", moment(p.At), "by", p.By, "revision", p.SourceRevision)
}

// Failure writes the record of a node's last attempt.
func Failure(w io.Writer, f *state.Failure, s Style) {
	fmt.Fprintf(w, "%s %s\n", s.paint(red, f.Address.String()+" failed last:"), strings.TrimSpace(f.Error))
	pairs(w, s, "  ", "run", f.Run.ID, "plan", string(f.Run.PlanDigest), "at", moment(f.Run.At), "by", f.Run.By, "revision", f.Run.SourceRevision)
	for i := range f.Results {
		if !f.Results[i].Success {
			failure(w, &f.Results[i], "  ", s)
		}
	}
}
