package rolling

import "math"

// full reports whether the window of n elements that ends at t lies inside x and holds no missing value.
func full(x []float64, t, n int) bool {
	if t+1 < n {
		return false
	}
	for _, v := range x[t+1-n : t+1] {
		if math.IsNaN(v) {
			return false
		}
	}
	return true
}

// over applies f to every full window of n elements of x.
func over(x []float64, n int, f func(window []float64) float64) []float64 {
	out := make([]float64, len(x))
	for t := range x {
		if !full(x, t, n) {
			out[t] = math.NaN()
			continue
		}
		out[t] = f(x[t+1-n : t+1])
	}
	return out
}

func mean(w []float64) float64 {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	return sum / float64(len(w))
}

// flat reports whether all elements are equal. Rounding makes the variance of a constant window tiny instead of
// zero, and dividing by it would turn noise into signal; so constancy is decided on the values themselves.
func flat(w []float64) bool {
	for _, v := range w[1:] {
		if v != w[0] {
			return false
		}
	}
	return true
}

func variance(w []float64) float64 {
	if len(w) < 2 {
		return math.NaN()
	}
	if flat(w) {
		return 0
	}
	m, sum := mean(w), 0.0
	for _, v := range w {
		d := v - m
		sum += d * d
	}
	return sum / float64(len(w)-1)
}

// Mean is the mean of the last n values.
func Mean(x []float64, n int) []float64 { return over(x, n, mean) }

// Var is the sample variance (divisor n-1) of the last n values.
func Var(x []float64, n int) []float64 { return over(x, n, variance) }

// Std is the sample standard deviation of the last n values.
func Std(x []float64, n int) []float64 {
	return over(x, n, func(w []float64) float64 { return math.Sqrt(variance(w)) })
}

// ZScore is the distance of the present value from the mean of the last n values (itself included), in sample
// standard deviations. It is undefined in a flat window.
func ZScore(x []float64, n int) []float64 {
	return over(x, n, func(w []float64) float64 {
		s := math.Sqrt(variance(w))
		if s == 0 {
			return math.NaN()
		}
		return (w[len(w)-1] - mean(w)) / s
	})
}

// Max is the largest of the last n values.
func Max(x []float64, n int) []float64 {
	return over(x, n, func(w []float64) float64 {
		m := w[0]
		for _, v := range w[1:] {
			m = math.Max(m, v)
		}
		return m
	})
}

// Min is the smallest of the last n values.
func Min(x []float64, n int) []float64 {
	return over(x, n, func(w []float64) float64 {
		m := w[0]
		for _, v := range w[1:] {
			m = math.Min(m, v)
		}
		return m
	})
}

// Diff is the change from the value before; the first element is undefined.
func Diff(x []float64) []float64 {
	out := make([]float64, len(x))
	for t := range x {
		if t == 0 {
			out[t] = math.NaN()
			continue
		}
		out[t] = x[t] - x[t-1]
	}
	return out
}
