package view

import (
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// UnifiedDiff returns the difference of two texts in the form of diff -u, or nothing if they are equal.
func UnifiedDiff(oldName string, before []byte, newName string, after []byte) string {
	out := string(diff.Diff(oldName, before, newName, after))
	if _, rest, ok := strings.Cut(out, "\n"); ok { // the line that names the command
		return rest
	}
	return out
}

// maxDiffLines is how many lines of a difference are shown.
const maxDiffLines = 24

// lineDiff returns the lines that differ, marked with + and -, with a line of context around them.
func lineDiff(before, after string) []string {
	all := strings.Split(strings.TrimSuffix(UnifiedDiff("a", ended(before), "b", ended(after)), "\n"), "\n")
	var body []string
	header := true // the names of the files come before the first hunk
	for _, l := range all {
		switch {
		case strings.HasPrefix(l, "@@"):
			header = false
			body = append(body, "")
		case header || l == "":
		case l[0] == ' ':
			body = append(body, " "+l)
		default:
			body = append(body, l[:1]+" "+l[1:])
		}
	}
	lines := nearChanges(body)
	if len(lines) > maxDiffLines {
		lines = append(lines[:maxDiffLines], "  …")
	}
	return lines
}

func ended(s string) []byte { return []byte(strings.TrimSuffix(s, "\n") + "\n") }

// nearChanges keeps changed lines and the lines next to them; a gap becomes a line with an ellipsis.
func nearChanges(body []string) []string {
	changed := func(i int) bool {
		return i >= 0 && i < len(body) && body[i] != "" && body[i][0] != ' '
	}
	var out []string
	last := -1
	for i := range body {
		if body[i] == "" || !(changed(i) || changed(i-1) || changed(i+1)) {
			continue
		}
		if last >= 0 && i > last+1 {
			out = append(out, "  …")
		}
		out = append(out, body[i])
		last = i
	}
	return out
}

// around cuts two long lines to where they differ, with some of what is before and after.
func around(a, b string) (string, string) {
	const context = 24
	ra, rb := []rune(a), []rune(b)
	start := 0
	for start < len(ra) && start < len(rb) && ra[start] == rb[start] {
		start++
	}
	end := 0
	for end < len(ra)-start && end < len(rb)-start && ra[len(ra)-1-end] == rb[len(rb)-1-end] {
		end++
	}
	cut := func(r []rune) string {
		from, to := max(0, start-context), min(len(r), len(r)-end+context)
		s := string(r[from:to])
		if from > 0 {
			s = "…" + s
		}
		if to < len(r) {
			s += "…"
		}
		if utf8.RuneCountInString(s) > 200 {
			s = clip(s, 200)
		}
		return s
	}
	return cut(ra), cut(rb)
}
