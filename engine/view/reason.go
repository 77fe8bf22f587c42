package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"pipe/engine/digest"
	"pipe/engine/plan"
)

// reason renders one cause of a change as lines. A cause that the line of the change says already gives none.
func reason(r *plan.Reason, mode plan.Mode, s Style) []string {
	switch r.Code {
	case plan.New:
		return nil
	case plan.ConfigChanged:
		return configChanged(r, s)
	case plan.InputChanged:
		return []string{inputChanged(r)}
	case plan.InputPending:
		return []string{fmt.Sprintf("waits for %s", pendingInput(r))}
	case plan.TypeChanged:
		return []string{fmt.Sprintf("type: %s -> %s", short(r.Before), short(r.After))}
	case plan.ArtifactMissing:
		text := fmt.Sprintf("artifact %s is missing", short(r.Before))
		if r.Detail != "" {
			text += ": " + r.Detail
		}
		return []string{text}
	case plan.Drifted:
		if r.Detail != "" {
			return []string{fmt.Sprintf("%s is not as it was published: %s", r.Path, r.Detail)}
		}
		if r.After == nil {
			return []string{fmt.Sprintf("%s was removed since it was put there", r.Path)}
		}
		return []string{fmt.Sprintf("%s was changed since it was put there: %s -> %s", r.Path, short(r.Before), short(r.After))}
	case plan.ExpectationAdded, plan.ExpectationChanged, plan.ExpectationRemoved:
		return expectationChanged(r)
	case plan.Requested:
		return []string{"asked for by --replace"}
	case plan.Removed:
		if mode == plan.Destroy {
			return nil
		}
		return []string{"its block is gone"}
	case plan.Moved:
		return []string{fmt.Sprintf("was %s", text(r.Before))}
	case plan.PreviousFailure:
		return []string{"the last attempt failed: " + printable(firstLine(r.Detail))}
	}
	return []string{string(r.Code)}
}

func pendingInput(r *plan.Reason) string {
	if r.Input == "" || r.Input == r.Address.Name {
		return r.Address.String()
	}
	return fmt.Sprintf("%s (input %s)", r.Address, r.Input)
}

func inputChanged(r *plan.Reason) string {
	what := "content"
	if r.Input != "" {
		what = "input " + r.Input
		if !r.Address.IsZero() && r.Input != r.Address.Name {
			what += " (" + r.Address.String() + ")"
		}
	}
	return fmt.Sprintf("%s: %s -> %s", what, short(r.Before), short(r.After))
}

// configChanged renders an attribute with its values; long text as the lines that differ.
func configChanged(r *plan.Reason, s Style) []string {
	path := r.Path
	if path == "" {
		path = "configuration"
	}
	before, after := text(r.Before), text(r.After)
	if !isText(r.Before) || !isText(r.After) || (!isLong(before) && !isLong(after)) {
		return []string{fmt.Sprintf("%s: %s -> %s", path, short(r.Before), short(r.After))}
	}
	lines := []string{path + ":"}
	if !strings.Contains(before+after, "\n") {
		from, to := around(before, after)
		return append(lines, s.paint(red, "- "+printable(from)), s.paint(green, "+ "+printable(to)))
	}
	for _, l := range lineDiff(before, after) {
		switch l[0] {
		case '-':
			l = s.paint(red, printable(l))
		case '+':
			l = s.paint(green, printable(l))
		default:
			l = printable(l)
		}
		lines = append(lines, l)
	}
	return lines
}

const longText = 48

func isLong(s string) bool { return len(s) > longText || strings.Contains(s, "\n") }

func isText(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

// text returns the string that raw holds, or raw itself.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// short renders a value in a few words: digests by their first digits, references and secrets as in plan files.
func short(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "(none)"
	}
	var s string
	if json.Unmarshal(raw, &s) == nil && isText(raw) {
		if d, err := digest.Parse(s); err == nil {
			return d.Short()
		}
		if s == "" {
			return `""`
		}
		return clip(strconv.Quote(s), 100)
	}
	var mark map[string]string
	if json.Unmarshal(raw, &mark) == nil && len(mark) == 1 {
		if label, ok := mark["$input"]; ok {
			return "input " + label
		}
		if name, ok := mark["$secret"]; ok {
			return fmt.Sprintf("secret(%q)", name)
		}
	}
	return clip(printable(string(raw)), 100)
}

// expectation is what a reason's before and after hold.
type expectation struct {
	Type     string          `json:"type"`
	Args     json.RawMessage `json:"args"`
	Severity string          `json:"severity"`
}

func expectationChanged(r *plan.Reason) []string {
	if r.Detail != "" {
		return []string{"expectations: " + r.Detail}
	}
	var was, now expectation
	_ = json.Unmarshal(r.Before, &was) // an empty one stays empty
	_ = json.Unmarshal(r.After, &now)
	switch r.Code {
	case plan.ExpectationAdded:
		return []string{fmt.Sprintf("expectation added: %s%s", r.Path, terms(now))}
	case plan.ExpectationRemoved:
		return []string{fmt.Sprintf("expectation removed: %s%s", r.Path, terms(was))}
	}
	var diffs []string
	before, after := fields(was), fields(now)
	for _, k := range union(before, after) {
		if !bytes.Equal(before[k], after[k]) {
			diffs = append(diffs, fmt.Sprintf("%s: %s -> %s", k, short(before[k]), short(after[k])))
		}
	}
	return []string{fmt.Sprintf("expectation %s: %s", r.Path, strings.Join(diffs, ", "))}
}

// fields are the arguments of an expectation and its severity.
func fields(e expectation) map[string]json.RawMessage {
	m := fieldsOf(e.Args)
	if e.Severity != "" {
		m["severity"] = json.RawMessage(strconv.Quote(e.Severity))
	}
	return m
}

func fieldsOf(object json.RawMessage) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(object, &m) // canonical, or empty
	return m
}

// terms lists the arguments that the name of an expectation does not hold.
func terms(e expectation) string {
	m := fields(e)
	delete(m, "column")
	delete(m, "metric")
	if e.Severity == "error" {
		delete(m, "severity")
	}
	var list []string
	for _, k := range union(m, nil) {
		list = append(list, k+" = "+short(m[k]))
	}
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}

func union(a, b map[string]json.RawMessage) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}
