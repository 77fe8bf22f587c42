package canonical

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// The first values of a row; volume and the further columns follow in the order of their names in the output.
const (
	openIdx = iota
	highIdx
	lowIdx
	closeIdx
	priceCount
)

// row is one bar. at is local until resolve, then in UTC.
type row struct {
	at     int64
	values []float64 // NaN is missing
	filled bool
	spike  bool
}

// byStamp orders rows totally, so that no order of the source is left.
func byStamp(a, b row) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	return slices.Compare(a.values, b.values) // NaN is equal to NaN here, and before all numbers
}

// normal scales and rounds prices.
func (r *runner) normal(rows []row) {
	for _, b := range rows {
		for i := range priceCount {
			p := b.values[i] / r.Scale
			if r.pow > 0 {
				p = math.Round(p*r.pow) / r.pow
			}
			b.values[i] = p
		}
	}
}

// distinct drops rows that repeat the row before.
func distinct(rows []row) []row {
	return slices.CompactFunc(rows, func(a, b row) bool { return byStamp(a, b) == 0 })
}

// withoutConflicts takes out all rows of stamps that have more than one, and returns these stamps.
func (r *runner) withoutConflicts(rows []row) ([]row, []int64, error) {
	var kept []row
	var stamps []int64
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j].at == rows[i].at {
			j++
		}
		if j == i+1 {
			kept = append(kept, rows[i])
		} else {
			stamps = append(stamps, rows[i].at)
		}
		i = j
	}
	if len(stamps) > 0 && r.Conflicts == "error" {
		return nil, nil, fmt.Errorf("%d stamps have more than one row, with different values, the first %s: correct the source, or set conflicts = \"quarantine\" to take them out and quarantine the partition",
			len(stamps), stamp(stamps[0]))
	}
	return kept, stamps, nil
}

// withoutInvalid takes out rows that are no bars, and returns their stamps.
func (r *runner) withoutInvalid(rows []row) ([]row, []int64) {
	kept := rows[:0]
	var stamps []int64
	for _, b := range rows {
		if r.valid(b.values) {
			kept = append(kept, b)
		} else {
			stamps = append(stamps, b.at)
		}
	}
	return kept, stamps
}

// valid allows half a smallest price change for rounding.
func (r *runner) valid(v []float64) bool {
	for _, p := range v[:priceCount] {
		if !(p > 0) || math.IsInf(p, 1) {
			return false
		}
	}
	slack := 1e-9 * v[closeIdx]
	if r.pow > 0 {
		slack = 0.5 / r.pow
	}
	return v[highIdx] >= max(v[openIdx], v[closeIdx], v[lowIdx])-slack && v[lowIdx] <= min(v[openIdx], v[closeIdx])+slack
}

// onGrid checks that stamps are a whole number of steps apart, and mostly one.
func (r *runner) onGrid(rows []row) error {
	phase := r.grid(rows[0].at) % r.step
	off, first := 0, int64(0)
	apart := map[int64]int{}
	for i, b := range rows {
		if r.grid(b.at)%r.step != phase {
			if off == 0 {
				first = b.at
			}
			off++
		}
		if i > 0 {
			apart[b.at-rows[i-1].at]++
		}
	}
	if off > 0 {
		return fmt.Errorf("%d stamps are not a whole number of %s from the first bar (%s), the first of them %s: the timeframe is another one, or the stamps are not those of bars",
			off, r.Timeframe, stamp(rows[0].at), stamp(first))
	}
	for d, n := range apart { // more than half of them: at most one distance
		if len(rows) >= 10 && d != r.step && n > len(rows)/2 {
			return fmt.Errorf("most bars are %s apart, and the timeframe is %s", span(d), r.Timeframe)
		}
	}
	return nil
}

// grid is the time in which bars have equal distances: the zone's clock for bars of more than an hour, because days and
// their parts begin by it; else UTC.
func (r *runner) grid(at int64) int64 {
	if r.step > 3600 {
		return r.clock.local(at)
	}
	return at
}

// next returns the stamp of the bar after the one at at.
func (r *runner) next(at int64) int64 {
	if r.step <= 3600 {
		return at + r.step
	}
	local := r.clock.local(at) + r.step
	for {
		if found := r.clock.moments(local); len(found) > 0 && found[0] > at {
			return found[0]
		} else if len(found) > 1 {
			return found[1]
		}
		local += r.step // the clock never shows it
	}
}

func distance(a, b float64) float64 { return math.Abs(math.Log(a / b)) }

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
