package rolling

import "math"

// Line is a fitted straight line per element: y = Alpha + Beta x over the trailing window.
type Line struct {
	Alpha, Beta []float64
}

// OLS regresses y on x over the last n pairs. A window in which x does not move has no line.
func OLS(y, x []float64, n int) Line {
	l := Line{Alpha: make([]float64, len(y)), Beta: make([]float64, len(y))}
	for t := range y {
		if !full(y, t, n) || !full(x, t, n) {
			l.Alpha[t], l.Beta[t] = math.NaN(), math.NaN()
			continue
		}
		l.Alpha[t], l.Beta[t] = line(y[t+1-n:t+1], x[t+1-n:t+1])
	}
	return l
}

func line(y, x []float64) (alpha, beta float64) {
	if flat(x) {
		return math.NaN(), math.NaN()
	}
	my, mx := mean(y), mean(x)
	sxx, sxy := 0.0, 0.0
	for i := range x {
		dx := x[i] - mx
		sxx += dx * dx
		sxy += dx * (y[i] - my)
	}
	beta = sxy / sxx
	return my - beta*mx, beta
}

// Corr is Pearson's correlation of the last n pairs, undefined where either side is flat.
func Corr(a, b []float64, n int) []float64 {
	out := make([]float64, len(a))
	for t := range a {
		if !full(a, t, n) || !full(b, t, n) {
			out[t] = math.NaN()
			continue
		}
		out[t] = correlation(a[t+1-n:t+1], b[t+1-n:t+1])
	}
	return out
}

func correlation(a, b []float64) float64 {
	if flat(a) || flat(b) {
		return math.NaN()
	}
	ma, mb := mean(a), mean(b)
	saa, sbb, sab := 0.0, 0.0, 0.0
	for i := range a {
		da, db := a[i]-ma, b[i]-mb
		saa += da * da
		sbb += db * db
		sab += da * db
	}
	return math.Max(-1, math.Min(1, sab/math.Sqrt(saa*sbb)))
}

// Slope is the least-squares slope of the last n values against time, per bar.
func Slope(x []float64, n int) []float64 {
	at := make([]float64, n)
	for i := range at {
		at[i] = float64(i)
	}
	return over(x, n, func(w []float64) float64 {
		_, beta := line(w, at)
		return beta
	})
}

// HalfLife estimates over the last n values how many bars a deviation needs to halve: x(t) = a + phi x(t-1) is fitted
// to the n-1 pairs of the window, and the half-life is -ln 2 / ln phi.
//
// The result lies in [0, n]: phi <= 0 (a deviation is gone within the bar) gives 0; phi >= 1 (no reversion), and an
// estimate that is longer than the window it was made from, give n.
func HalfLife(x []float64, n int) []float64 {
	limit := float64(n)
	return over(x, n, func(w []float64) float64 {
		_, phi := line(w[1:], w[:len(w)-1])
		switch {
		case math.IsNaN(phi):
			return math.NaN()
		case phi <= 0:
			return 0
		case phi >= 1:
			return limit
		}
		return math.Min(-math.Ln2/math.Log(phi), limit)
	})
}
