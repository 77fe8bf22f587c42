package duck

import (
	"context"
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Error is what DuckDB said, in short.
type Error struct {
	Text   string // what, and what to do, without a place
	Line   int    // place in the text of the query, from 1; 0 if unknown
	Column int
	Kind   duckdb.ErrorType
}

func (e *Error) Error() string { return e.Text }

// Translate turns an error of the driver into a short one; query is the text that was run. Errors of a context stay what
// they are.
func Translate(ctx context.Context, query string, err error) error { return translate(ctx, query, err) }

func translate(ctx context.Context, query string, err error) error {
	if err == nil {
		return nil
	}
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var de *duckdb.Error
	if !errors.As(err, &de) {
		return err
	}
	text, place, _ := strings.Cut(de.Msg, "\n\nLINE ")
	e := &Error{Kind: de.Type}
	if place != "" {
		e.Line, e.Column = position(place, query)
	}
	if _, after, ok := strings.Cut(text, "Error: "); ok {
		text = after
	}
	e.Text = shorten(strings.TrimSpace(text))
	return e
}

// position finds the place of an excerpt "2: …excerpt\n   ^" in the query.
func position(place, query string) (line, column int) {
	number, rest, _ := strings.Cut(place, ": ")
	line, err := strconv.Atoi(number)
	if err != nil {
		return 0, 0
	}
	excerpt, caret, _ := strings.Cut(rest, "\n")
	column = strings.IndexByte(caret, '^') - len("LINE "+number+": ")
	lines := strings.Split(query, "\n")
	if column < 0 || line > len(lines) {
		return line, 0
	}
	if cut, ok := strings.CutPrefix(excerpt, "..."); ok {
		at := strings.Index(lines[line-1], strings.TrimSuffix(cut, "..."))
		if at < 0 {
			return line, 0
		}
		column += utf8.RuneCountInString(lines[line-1][:at]) - len("...")
	}
	return line, column + 1
}

// rewording replaces one message of DuckDB. $1 and so on are groups; the group called file is cut to its base name.
type rewording struct{ pattern, text string }

func rewordings() []rewording {
	const file = `["'](?P<file>[^"']+)["']`
	return []rewording{
		{`^No magic bytes found at end of file ` + file, `${file} is no whole Parquet file: it was cut off while it was written, or has another format. Write it again, or set format`},
		{`^File ` + file + ` too small to be a Parquet file`, `${file} is no Parquet file: it is too short. Write it again, or set format`},
		{`^(?s:Failed to read file ` + file + `: (.*))`, `${file} is damaged (${2}): write it again`},
		{`^Malformed JSON in file ` + file + `, at byte (\d+) in (?:record/value|line) (\d+): (.*?)\.?\s*$`, `${file} is no valid JSON: ${4} at byte ${2} of row ${3}`},
		{`^Expected top-level JSON array .* first character is '(.)' in file ` + file + `(?s:.*)`, `${file} holds no JSON array: it begins with '${1}'`},
		{`^json_read expected records(?s:.*)`, `not every element is a JSON object: each row must be an object of columns`},
		{`^No files found that match the pattern ` + file, `${file} does not exist`},
		{`^Input is not a GZIP stream: (?P<file>.*)$`, `${file} ends in .gz and is not packed with gzip`},
		{`^Referenced column "(.*?)" not found in FROM clause!\s*$`, `there is no column "${1}"`},
		{`^Referenced column "(.*?)" not found in FROM clause!\nCandidate bindings: (.*)$`, `there is no column "${1}": did you mean ${2}?`},
		{`^Table with name (\S+) does not exist!(?s:.*)$`, `there is no table "${1}"`},
		{`^(?:\w+ )*Function with name (\S+) does not exist!\nDid you mean "(.*?)"\?(?s:.*)$`, `there is no function "${1}": did you mean "${2}"?`},
		{`^(?:\w+ )*Function with name (\S+) does not exist!(?s:.*)$`, `there is no function "${1}"`},
		{`^Cannot access (?:file|directory) ` + file + `(?s:.*)`, `the query may not touch ${file}: it can read its inputs and nothing else`},
		{`^(?s:CSV Error on Line: (\d+)\n.*?Error when converting column "(.*?)"\. (.*?)\n.*)`, `line ${1}, column "${2}": ${3}`},
		{`^(?s:CSV Error on Line: (\d+)\nOriginal Line: .*?\n(.*?)\n.*)`, `line ${1}: ${2}`},
		{`^(?s:Out of Memory Error: |failed to .*?allocate .*|could not allocate .*)`, `it needs more memory than a session may use: read fewer rows or columns at once`},
	}
}

// shorten replaces messages that are known and makes one line of the rest, without directories.
func shorten(text string) string {
	for _, r := range rewordings() {
		re := regexp.MustCompile(r.pattern)
		m := re.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		if i := re.SubexpIndex("file"); i >= 0 {
			name := text[m[2*i]:m[2*i+1]]
			short := text[:m[2*i]] + path.Base(name) + text[m[2*i+1]:]
			m, text = re.FindStringSubmatchIndex(short), short
		}
		return string(re.ExpandString(nil, r.text, text, m))
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return directories().ReplaceAllString(strings.Join(lines, " "), `$1$2`)
}

// directories matches a quoted absolute path, of which the last part is kept.
func directories() *regexp.Regexp { return regexp.MustCompile(`(["'])/(?:[^"'/]*/)*([^"'/]*)`) }
