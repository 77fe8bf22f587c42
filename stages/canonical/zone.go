package canonical

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
	_ "time/tzdata" // so that zones are known on machines that have no list of them

	"pipe/engine/stage"
)

// clock shows the local time of a zone, moved by a fixed offset. Local times are seconds as if they were UTC.
type clock struct {
	zone   *time.Location
	offset int64
	utc    bool
}

var zoneOffset = regexp.MustCompile(`^(.+?)([+-])(\d\d):(\d\d)$`)

// parseZone reads an IANA name, optionally with an offset such as +07:00 behind it.
func parseZone(s string) (clock, error) {
	name, c := s, clock{}
	if m := zoneOffset.FindStringSubmatch(s); m != nil {
		hours, _ := strconv.ParseInt(m[3], 10, 64)
		minutes, _ := strconv.ParseInt(m[4], 10, 64)
		if hours > 14 || minutes > 59 {
			return c, stage.Attrf("zone", "the offset of %q is no time of day", s)
		}
		name, c.offset = m[1], hours*3600+minutes*60
		if m[2] == "-" {
			c.offset = -c.offset
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return c, stage.Attrf("zone", "%q is no time zone: use an IANA name such as UTC, Europe/Athens, America/New_York, optionally with an offset behind it, as in America/New_York+07:00", name)
	}
	c.zone, c.utc = zone, name == "UTC" && c.offset == 0
	return c, nil
}

// local returns what the clock shows at a moment.
func (c clock) local(at int64) int64 {
	if c.utc {
		return at
	}
	return at + c.shift(at)
}

func (c clock) shift(at int64) int64 {
	_, off := time.Unix(at, 0).In(c.zone).Zone()
	return int64(off) + c.offset
}

// moments returns the moments at which the clock shows a local time: one, or none when it is put forward past it, or two
// when it is put back, the earlier one first.
func (c clock) moments(local int64) []int64 {
	if c.utc {
		return []int64{local}
	}
	// Before and after a change of the clock there are two offsets; a day to either side finds both, because no zone
	// changes twice within two days.
	before, after := c.shift(local-c.offset-day), c.shift(local-c.offset+day)
	var found []int64
	for _, off := range []int64{before, after} {
		at := local - off
		if c.local(at) == local && (len(found) == 0 || found[0] != at) {
			found = append(found, at)
		}
	}
	if len(found) == 2 && found[0] > found[1] {
		found[0], found[1] = found[1], found[0]
	}
	return found
}

// resolve turns local stamps of sorted, deduplicated rows into moments.
func (r *runner) resolve(rows []row) error {
	var twice []int // rows whose stamp the clock shows twice
	var never []int
	for i := range rows {
		at := r.clock.moments(rows[i].at)
		switch len(at) {
		case 0:
			never = append(never, i)
		case 1:
			rows[i].at = at[0]
		default:
			twice = append(twice, i)
		}
	}
	if len(never) > 0 {
		return fmt.Errorf("%d stamps, the first %s, never were on the clock of %s, which was put forward past them: the zone is another one",
			len(never), wall(rows[never[0]].at), r.Zone)
	}
	return r.unfold(rows, twice)
}

// unfold tells apart the two passes of hours that a clock shows twice.
func (r *runner) unfold(rows []row, twice []int) error {
	for i := 0; i < len(twice); {
		j := i + 1
		for j < len(twice) && rows[twice[j]].at-rows[twice[j-1]].at <= 3*3600 {
			j++
		}
		fold := rows[twice[i] : twice[j-1]+1]
		switch {
		case inPairs(fold):
			var before float64
			if twice[i] > 0 {
				before = rows[twice[i]-1].values[closeIdx]
			}
			r.pair(fold, before)
		case r.Ambiguous == "error":
			return fmt.Errorf("the clock of %s shows %s twice, because it is put back: set ambiguous to earlier or later", r.Zone, wall(fold[0].at))
		default:
			for k := range fold {
				at := r.clock.moments(fold[k].at)
				if r.Ambiguous == "earlier" {
					fold[k].at = at[0]
				} else {
					fold[k].at = at[1]
				}
			}
		}
		i = j
	}
	return nil
}

func inPairs(rows []row) bool {
	if len(rows)%2 != 0 {
		return false
	}
	for i := 0; i < len(rows); i += 2 {
		if rows[i].at != rows[i+1].at || i+2 < len(rows) && rows[i+2].at == rows[i].at {
			return false
		}
	}
	return true
}

// pair gives of each two rows with one stamp the one that better continues the price to the first pass.
func (r *runner) pair(rows []row, last float64) {
	for i := 0; i < len(rows); i += 2 {
		a, b := &rows[i], &rows[i+1]
		if last > 0 && distance(b.values[openIdx], last) < distance(a.values[openIdx], last) {
			a, b = b, a
		}
		at := r.clock.moments(a.at)
		a.at, b.at = at[0], at[1]
		last = a.values[closeIdx]
	}
}

// wall writes a local time.
func wall(local int64) string { return time.Unix(local, 0).UTC().Format(time.DateTime) }
