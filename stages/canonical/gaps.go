package canonical

import "math"

// gap is a run of expected bars that are not there.
type gap struct {
	After  string `json:"after"`  // stamp of the bar before it
	Before string `json:"before"` // stamp of the bar after it
	Bars   int    `json:"bars"`

	first int64 // the first missing stamp
}

// fill puts bars into gaps that are short enough and returns the others. out are the stamps of bars that were taken out as
// bad ticks, so that what stands in their place is flagged.
func (j *job) fill(rows []row, out []int64) ([]row, []gap) {
	bad := map[int64]bool{}
	for _, at := range out {
		bad[at] = true
	}
	filled := make([]row, 0, len(rows)+len(rows)/16)
	var gaps []gap
	var missing []int64
	for i, b := range rows {
		if i == 0 {
			filled = append(filled, b)
			continue
		}
		last := rows[i-1]
		missing = missing[:0]
		for at := j.next(last.at); at < b.at; at = j.next(at) {
			if j.session.expects(at) {
				missing = append(missing, at)
			}
		}
		if len(missing) > j.MaxGapBars {
			gaps = append(gaps, gap{After: stamp(last.at), Before: stamp(b.at), Bars: len(missing), first: missing[0]})
			missing = missing[:0]
		}
		for _, at := range missing {
			filled = append(filled, j.flat(at, last, bad[at]))
		}
		filled = append(filled, b)
	}
	return filled, gaps
}

// flat is a bar in which nothing happens after the bar last.
func (j *job) flat(at int64, last row, spike bool) row {
	b := row{at: at, values: append([]float64(nil), last.values...), filled: true, spike: spike}
	for i := range priceCount {
		b.values[i] = last.values[closeIdx]
	}
	if j.volume && !math.IsNaN(last.values[priceCount]) {
		b.values[priceCount] = 0
	}
	return b
}
