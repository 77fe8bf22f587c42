package canonical

import (
	"math"
	"slices"
)

const (
	minJudged = 50 // changes that are needed to judge the next one
	lookAhead = 3  // closes that decide whether a price came back
	toSigma   = 1.4826
)

// withoutOutliers takes out bad ticks and flags jumps; it returns the stamps of the bars that it took out.
func (r *runner) withoutOutliers(rows []row) ([]row, []int64) {
	if r.OutlierSigma == 0 || len(rows) == 0 {
		return rows, nil
	}
	w := &window{size: r.OutlierWindow}
	kept := append(make([]row, 0, len(rows)), rows[0])
	var out []int64
	for i := 1; i < len(rows); i++ {
		b := rows[i]
		last, price := kept[len(kept)-1].values[closeIdx], b.values[closeIdx]
		change := math.Log(price / last)
		if limit := r.OutlierSigma * r.sigma(w, last); limit > 0 && math.Abs(change) > limit {
			if cameBack(rows[i+1:], price, change, limit) {
				out = append(out, b.at)
				continue
			}
			b.spike = true
		}
		w.push(change)
		kept = append(kept, b)
	}
	return kept, out
}

// sigma is the robust standard deviation of the changes in the window, or 0 if they are too few or say nothing.
func (r *runner) sigma(w *window, price float64) float64 {
	if len(w.sorted) < minJudged {
		return 0
	}
	s := toSigma * w.deviation()
	if r.pow > 0 {
		s = max(s, 1/r.pow/price)
	}
	return s
}

// cameBack reports whether a price stands as far from those that follow as from those before, and came back in no time: from
// one bar's close to the next one's open. A market that turns trades at the prices between.
func cameBack(following []row, price, change, limit float64) bool {
	n := min(lookAhead, len(following))
	if n == 0 {
		return false
	}
	closes := make([]float64, n)
	leapt, last := false, price
	for i, b := range following[:n] {
		leap := math.Log(b.values[openIdx] / last)
		leapt = leapt || leap*change < 0 && math.Abs(leap) > limit
		last = b.values[closeIdx]
		closes[i] = last
	}
	slices.Sort(closes)
	back := math.Log(price / closes[(n-1)/2])
	return leapt && back*change > 0 && math.Abs(back) > limit
}

// window holds the last changes, in the order of time and sorted.
type window struct {
	size   int
	recent []float64 // a ring
	at     int
	sorted []float64
}

func (w *window) push(x float64) {
	if len(w.recent) < w.size {
		w.recent = append(w.recent, x)
	} else {
		i, _ := slices.BinarySearch(w.sorted, w.recent[w.at])
		w.sorted = slices.Delete(w.sorted, i, i+1)
		w.recent[w.at] = x
		w.at = (w.at + 1) % w.size
	}
	i, _ := slices.BinarySearch(w.sorted, x)
	w.sorted = slices.Insert(w.sorted, i, x)
}

// deviation is the median absolute deviation from the median. The absolute deviations to the left and to the right of the
// median are each sorted already, so that merging them up to the middle finds theirs.
func (w *window) deviation() float64 {
	s, n := w.sorted, len(w.sorted)
	m := median(s)
	left := n / 2 // the last that is at most m, going down
	for left < n && s[left] <= m {
		left++
	}
	right := left
	left--
	var a, b float64
	for range n/2 + 1 {
		a = b
		if right >= n || left >= 0 && m-s[left] <= s[right]-m {
			b = m - s[left]
			left--
		} else {
			b = s[right] - m
			right++
		}
	}
	if n%2 == 1 {
		return b
	}
	return (a + b) / 2
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
