package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Count renders a whole number with thousands separators: 12,345.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), ",")
}

// Plural renders a count with its noun: 1 row, 2 rows.
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Bytes renders a size in decimal units with three significant digits: 999 B, 1.25 MB.
func Bytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f := float64(n)
	units := []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	i := -1
	for i < len(units)-1 {
		f /= 1000
		i++
		if significant(f) != "1000" {
			break
		}
	}
	return significant(f) + " " + units[i]
}

// significant renders f with three significant digits and at least all digits before the point, or "1000" for anything
// that would need more than three of those.
func significant(f float64) string {
	switch {
	case f < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case f < 999.5:
		return strconv.FormatFloat(f, 'f', 0, 64)
	default:
		return "1000"
	}
}

// Duration renders a duration in the unit that suits it: 15 ms, 4.1 s, 2 min 5 s, 3 h 20 min.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < time.Millisecond:
		return "<1 ms"
	case d < 999500*time.Microsecond:
		return strconv.FormatInt(int64(math.Round(float64(d)/float64(time.Millisecond))), 10) + " ms"
	case d < 9950*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 59500*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s"
	case d < time.Hour-500*time.Millisecond:
		s := int64(math.Round(d.Seconds()))
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	default:
		m := int64(math.Round(d.Minutes()))
		return fmt.Sprintf("%d h %d min", m/60, m%60)
	}
}

func seconds(s float64) string { return Duration(time.Duration(s * float64(time.Second))) }

// moment renders a point in time, always in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Sentence starts a message with a capital letter and ends it with a full stop. A message that starts with a name (of a
// variable, an address, a file) keeps it as it is.
func Sentence(s string) string {
	s = strings.TrimRight(s, " \n")
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	word, _, _ := strings.Cut(s, " ")
	if !strings.ContainsAny(word, `._/["=`) {
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?:") && !strings.Contains(s, "\n") {
		s += "."
	}
	return s
}

// firstLine returns the first line of a text, with a mark if there are more.
func firstLine(s string) string {
	line, rest, more := strings.Cut(strings.TrimSpace(s), "\n")
	if more && strings.TrimSpace(rest) != "" {
		return line + " …"
	}
	return line
}

// clip shortens a text to at most n columns, counting a rune as one.
func clip(s string, n int) string {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// printable replaces control characters, so that data cannot steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '·'
		}
		return r
	}, s)
}
