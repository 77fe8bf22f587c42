package period

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unit is a length of periods.
type Unit string

// The units.
const (
	Day   Unit = "day"
	Week  Unit = "week"
	Month Unit = "month"
)

// Form spells how periods of the unit are written.
func (u Unit) Form() string {
	switch u {
	case Day:
		return "YYYY-MM-DD"
	case Week:
		return "YYYY-Www, such as 2025-W05"
	}
	return "YYYY-MM"
}

// Period is one day, ISO week or month.
type Period struct {
	unit  Unit
	start time.Time // midnight UTC of its first day
}

// Unit returns the period's unit.
func (p Period) Unit() Unit { return p.unit }

// String returns the one spelling of the period.
func (p Period) String() string {
	switch p.unit {
	case Day:
		return p.start.Format("2006-01-02")
	case Week:
		year, week := p.start.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	}
	return p.start.Format("2006-01")
}

// Add returns the period n after p, or before it for a negative n.
func (p Period) Add(n int) Period {
	switch p.unit {
	case Day:
		p.start = p.start.AddDate(0, 0, n)
	case Week:
		p.start = p.start.AddDate(0, 0, 7*n)
	default:
		p.start = p.start.AddDate(0, n, 0)
	}
	return p
}

// Compare orders periods of one unit.
func (p Period) Compare(q Period) int { return p.start.Compare(q.start) }

// Since returns how many periods p is after q, which has the same unit.
func (p Period) Since(q Period) int {
	if p.unit == Month {
		return 12*(p.start.Year()-q.start.Year()) + int(p.start.Month()) - int(q.start.Month())
	}
	days := int((p.start.Unix() - q.start.Unix()) / (24 * 60 * 60))
	if p.unit == Week {
		return days / 7
	}
	return days
}

// Parse reads a period of the unit.
func Parse(u Unit, s string) (Period, bool) {
	var start time.Time
	var err error
	switch u {
	case Day:
		start, err = time.Parse("2006-01-02", s)
	case Week:
		start, err = parseWeek(s)
	default:
		start, err = time.Parse("2006-01", s)
	}
	p := Period{u, start}
	return p, err == nil && p.String() == s
}

// parseWeek returns the Monday of an ISO week.
func parseWeek(s string) (time.Time, error) {
	year, week, ok := strings.Cut(s, "-W")
	y, err := strconv.Atoi(year)
	if err != nil || !ok {
		return time.Time{}, fmt.Errorf("%q is no week", s)
	}
	w, err := strconv.Atoi(week)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no week", s)
	}
	first := time.Date(y, time.January, 4, 0, 0, 0, 0, time.UTC) // always in week 1
	monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	return monday.AddDate(0, 0, 7*(w-1)), nil
}

// Place is a period in a key.
type Place struct {
	Period
	Prefix, Suffix string
}

// Key returns the key with another period in its place.
func (p Place) Key(at Period) string { return p.Prefix + at.String() + p.Suffix }

// Like reports whether two keys differ in the period alone.
func (p Place) Like(q Place) bool {
	return p.unit == q.unit && p.Prefix == q.Prefix && p.Suffix == q.Suffix
}

// Find returns the period in a key. ok is false where there is none, or more than one. A digit next to what looks like a
// period makes it none.
func Find(key string) (place Place, ok bool) {
	for i := 0; i+len("2006-01") <= len(key); i++ {
		if i > 0 && isDigit(key[i-1]) || !isDigit(key[i]) || key[i+4] != '-' {
			continue
		}
		p, n, found := at(key[i:])
		if !found {
			continue
		}
		if ok {
			return Place{}, false
		}
		place, ok = Place{Period: p, Prefix: key[:i], Suffix: key[i+n:]}, true
		i += n - 1
	}
	return place, ok
}

// at reads the longest period at the start of s.
func at(s string) (p Period, n int, ok bool) {
	for _, u := range []Unit{Day, Week, Month} {
		n = len("2006-01")
		switch u {
		case Day:
			n = len("2006-01-02")
		case Week:
			n = len("2006-W01")
		}
		if len(s) < n || len(s) > n && (isDigit(s[n]) || u == Month && s[n] == '-' && n+1 < len(s) && isDigit(s[n+1])) {
			continue
		}
		if p, ok = Parse(u, s[:n]); ok {
			return p, n, true
		}
	}
	return Period{}, 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
