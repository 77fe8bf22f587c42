package sql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is a kind of token.
type kind int

const (
	word   kind = iota // a keyword or name without quotes, in lower case
	quoted             // a name in double quotes, in lower case
	text               // a string
	param              // $name, without the dollar sign
	symbol             // any other character
)

// token is one token of a query. Comments and white space are none.
type token struct {
	kind         kind
	text         string
	line, column int // from 1
	offset       int // bytes
	depth        int // of parentheses, brackets and braces around it
}

func (t token) place() string {
	return fmt.Sprintf("line %d, column %d of the query", t.line, t.column)
}

func (t token) is(w string) bool { return t.kind == word && t.text == w }

// lex splits a query as far as needed to know what is a name and what is not: strings ('…', e'…', $$…$$), quoted names and
// comments are told apart from the rest.
func lex(query string) ([]token, error) {
	l := &lexer{in: query, line: 1, column: 1}
	for l.pos < len(l.in) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return l.tokens, nil
}

type lexer struct {
	in           string
	pos          int
	line, column int
	depth        int
	tokens       []token
}

func (l *lexer) next() error {
	rest := l.in[l.pos:]
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case unicode.IsSpace(r):
		l.skip(size)
	case strings.HasPrefix(rest, "--"):
		l.skip(lineEnd(rest))
	case strings.HasPrefix(rest, "/*"):
		n := commentEnd(rest)
		if n < 0 {
			return fmt.Errorf("%s: the comment is not closed with */", l.at())
		}
		l.skip(n)
	case r == '\'':
		return l.delimited(text, rest, 0, false)
	case (r == 'e' || r == 'E') && strings.HasPrefix(rest[1:], "'"):
		return l.delimited(text, rest, 1, true)
	case r == '"':
		return l.delimited(quoted, rest, 0, false)
	case r == '$':
		return l.dollar(rest)
	case isNameStart(r):
		n := nameEnd(rest)
		l.emit(word, strings.ToLower(rest[:n]), n)
	case r >= '0' && r <= '9':
		l.skip(nameEnd(rest)) // also 1e5 and 0xff; no number is a name
	case r == '?':
		return fmt.Errorf("%s: name the parameter, as in $floor, and give its value in params", l.at())
	default:
		l.symbol(rest[:size])
	}
	return nil
}

func (l *lexer) symbol(s string) {
	if strings.Contains(")]}", s) {
		l.depth--
	}
	l.emit(symbol, s, len(s))
	if strings.Contains("([{", s) {
		l.depth++
	}
}

// delimited reads '…' or "…", in which the delimiter is doubled, or also escaped by a backslash.
func (l *lexer) delimited(k kind, rest string, prefix int, escapes bool) error {
	d := rest[prefix]
	for i := prefix + 1; i < len(rest); i++ {
		switch {
		case escapes && rest[i] == '\\':
			i++
		case rest[i] == d && i+1 < len(rest) && rest[i+1] == d:
			i++
		case rest[i] == d:
			inner := strings.ReplaceAll(rest[prefix+1:i], string([]byte{d, d}), string(d))
			l.emit(k, strings.ToLower(inner), i+1)
			return nil
		}
	}
	return fmt.Errorf("%s: the quotation mark %c is not closed", l.at(), d)
}

// dollar reads $name, or a string between $tag$ and $tag$.
func (l *lexer) dollar(rest string) error {
	n := 1
	if r, _ := utf8.DecodeRuneInString(rest[1:]); isNameStart(r) {
		n = 1 + strings.IndexFunc(rest[1:]+" ", func(r rune) bool { return !isNamePart(r) || r == '$' })
	}
	if strings.HasPrefix(rest[n:], "$") {
		tag := rest[:n+1]
		end := strings.Index(rest[n+1:], tag)
		if end < 0 {
			return fmt.Errorf("%s: the string is not closed with %s", l.at(), tag)
		}
		l.emit(text, "", n+1+end+len(tag))
		return nil
	}
	if n == 1 {
		return fmt.Errorf("%s: name the parameter, as in $floor, and give its value in params", l.at())
	}
	l.emit(param, rest[1:n], n)
	return nil
}

func (l *lexer) emit(k kind, s string, size int) {
	l.tokens = append(l.tokens, token{kind: k, text: s, line: l.line, column: l.column, offset: l.pos, depth: l.depth})
	l.skip(size)
}

func (l *lexer) skip(size int) {
	for _, r := range l.in[l.pos : l.pos+size] {
		l.column++
		if r == '\n' {
			l.line, l.column = l.line+1, 1
		}
	}
	l.pos += size
}

func (l *lexer) at() string { return token{line: l.line, column: l.column}.place() }

func isNameStart(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || r > 0x7f && r != utf8.RuneError
}

func isNamePart(r rune) bool { return isNameStart(r) || r == '$' || unicode.IsDigit(r) }

func nameEnd(s string) int {
	if i := strings.IndexFunc(s, func(r rune) bool { return !isNamePart(r) }); i >= 0 {
		return i
	}
	return len(s)
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// commentEnd returns the length of a comment in which others may be nested, or -1.
func commentEnd(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
