package view

import (
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// In a comment that people trust, text from plan files must stay text: no markup, no mention, no reference, no line of
// its own. Markdown turns none of these into anything inside code, so all such text stands in code and nowhere else.

// code renders text as a code span. The fence is longer or shorter than every run of backticks in the text.
func code(s string) string {
	s = oneLine(s)
	if s == "" {
		s = " "
	}
	runs := map[int]bool{}
	for rest := s; ; {
		i := strings.IndexByte(rest, '`')
		if i < 0 {
			break
		}
		n := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "`"))
		runs[n] = true
		rest = rest[i+n:]
	}
	n := 1
	for runs[n] {
		n++
	}
	fence := strings.Repeat("`", n)
	if s[0] == '`' || s[len(s)-1] == '`' || (s[0] == ' ' && s[len(s)-1] == ' ') {
		s = " " + s + " " // taken off again by Markdown
	}
	return fence + s + fence
}

// htmlCode renders text as code where Markdown is not read, as in a summary.
func htmlCode(s string) string { return "<code>" + html.EscapeString(oneLine(s)) + "</code>" }

// prose leaves words as they are if they hold nothing that means anything in Markdown or HTML, and renders them as code else.
func prose(s string, code func(string) string) string {
	for i := range len(s) {
		c := s[i]
		number := c == '.' && i > 0 && i+1 < len(s) && isDigit(s[i-1]) && isDigit(s[i+1])
		if !number && !isDigit(c) && !('a' <= c && c <= 'z') && !('A' <= c && c <= 'Z') && !strings.ContainsRune(" ,()", rune(c)) {
			return code(s)
		}
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// block renders lines as fenced code, indented. No line can end it.
func block(language string, lines []string, indent string) string {
	longest := 2
	for i, l := range lines {
		lines[i] = oneLine(l)
		run := 0
		for _, r := range lines[i] {
			if r != '`' {
				run = 0
				continue
			}
			run++
			longest = max(longest, run)
		}
	}
	fence := strings.Repeat("`", longest+1)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s%s\n", indent, fence, language)
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s\n", indent, l)
	}
	fmt.Fprintf(&b, "%s%s\n", indent, fence)
	return b.String()
}

// oneLine makes all characters visible that steer or hide: line ends, control characters, and format characters that
// turn the direction of text around or have no width.
func oneLine(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, string(utf8.RuneError)) {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			b.WriteRune('·')
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// marker is the comment that a program finds the page by. It is one line whatever the names are.
func marker(pipeline, environment string) string {
	return "<!-- pipe-plan: " + markerName(pipeline) + "/" + markerName(environment) + " -->\n"
}

func markerName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < 300; i++ {
		c := s[i]
		twice := c == '-' && i > 0 && s[i-1] == '-' // has no place in a comment
		if c == '_' || (c == '-' && !twice) || c == '.' || ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
