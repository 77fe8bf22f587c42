package canonical

import (
	"time"
)

const day = 24 * 3600

// session says when a market is open, so that a bar is expected to begin.
type session struct {
	open     func(local int64) bool // by the clock
	clock    clock
	holidays map[string]bool
	shift    int64 // seconds by which a trading day begins before midnight
}

func newSession(calendar string, zone clock, holidays map[string]bool) session {
	switch calendar {
	case "fx":
		ny, err := time.LoadLocation("America/New_York")
		if err != nil {
			panic("canonical: the list of time zones is built in and has no New York")
		}
		return session{open: fxOpen, clock: clock{zone: ny}, holidays: holidays, shift: 7 * 3600}
	case "weekdays":
		return session{open: weekday, clock: zone, holidays: holidays}
	}
	return session{open: func(int64) bool { return true }, clock: zone, holidays: holidays}
}

// expects reports whether a bar should begin at this moment.
func (s session) expects(at int64) bool {
	local := s.clock.local(at)
	if len(s.holidays) > 0 && s.holidays[time.Unix(local+s.shift, 0).UTC().Format(time.DateOnly)] {
		return false
	}
	return s.open(local)
}

// weekday is Monday to Friday.
func weekday(local int64) bool {
	d := time.Unix(local, 0).UTC().Weekday()
	return d != time.Saturday && d != time.Sunday
}

// fxOpen is Sunday 17:00 to Friday 17:00 in New York, but for the days around Christmas and New Year, on which feeds close
// early, open late, or do not open at all.
func fxOpen(local int64) bool {
	if !weekday(local + 7*3600) {
		return false
	}
	t := time.Unix(local, 0).UTC()
	hour := t.Hour()
	switch month, d := t.Month(), t.Day(); {
	case month == time.December && (d == 24 || d == 31):
		return hour < 11
	case month == time.December && d == 25, month == time.January && d == 1:
		return false
	case month == time.December && d == 26, month == time.January && d == 2:
		return hour >= 2
	}
	return true
}
