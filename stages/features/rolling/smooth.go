package rolling

import "math"

// EMA is the exponential moving average with alpha = 2/(span+1), started from the first value and shown from the
// span-th on. A missing value gives a missing result and leaves the average as it was.
func EMA(x []float64, span int) []float64 {
	alpha := 2 / (float64(span) + 1)
	out := make([]float64, len(x))
	state, seen := 0.0, 0
	for t, v := range x {
		out[t] = math.NaN()
		if math.IsNaN(v) {
			continue
		}
		if seen == 0 {
			state = v
		} else {
			state += alpha * (v - state)
		}
		seen++
		if seen >= span {
			out[t] = state
		}
	}
	return out
}

// Wilder is Wilder's moving average: the mean of the first n values, then (n-1 parts of the last, one part new).
// A missing value gives a missing result and leaves the average as it was.
func Wilder(x []float64, n int) []float64 {
	out := make([]float64, len(x))
	state, seen := 0.0, 0
	for t, v := range x {
		out[t] = math.NaN()
		if math.IsNaN(v) {
			continue
		}
		seen++
		switch {
		case seen < n:
			state += v
			continue
		case seen == n:
			state = (state + v) / float64(n)
		default:
			state = (state*float64(n-1) + v) / float64(n)
		}
		out[t] = state
	}
	return out
}

// ATR is Wilder's average true range in price units. The first bar has no close before it and so no true range.
func ATR(high, low, closing []float64, n int) []float64 {
	tr := make([]float64, len(closing))
	for t := range closing {
		if t == 0 {
			tr[t] = math.NaN()
			continue
		}
		before := closing[t-1]
		tr[t] = math.Max(high[t]-low[t], math.Max(math.Abs(high[t]-before), math.Abs(low[t]-before)))
	}
	return Wilder(tr, n)
}

// RSI is Wilder's relative strength index of x, from 0 to 100; 50 where nothing moved.
func RSI(x []float64, n int) []float64 {
	change := Diff(x)
	up, down := make([]float64, len(x)), make([]float64, len(x))
	for t, c := range change {
		if math.IsNaN(c) {
			up[t], down[t] = c, c
			continue
		}
		up[t], down[t] = math.Max(c, 0), math.Max(-c, 0)
	}
	gain, loss := Wilder(up, n), Wilder(down, n)
	out := make([]float64, len(x))
	for t := range x {
		switch g, l := gain[t], loss[t]; {
		case math.IsNaN(g):
			out[t] = math.NaN()
		case g+l == 0:
			out[t] = 50
		default:
			out[t] = 100 * g / (g + l)
		}
	}
	return out
}
