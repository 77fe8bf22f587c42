package scale

import (
	"fmt"
	"math"
	"sort"
)

// normal makes the median absolute deviation of a normal sample estimate its standard deviation.
const normal = 1.4826022185056018

// Scaler is the fitted transformation of one column. It travels in feature_schema.json, and inference uses the same.
type Scaler struct {
	Column string  `json:"column"`
	Median float64 `json:"median"`
	MAD    float64 `json:"mad"`
	Scale  float64 `json:"scale"` // what is divided by
}

// Fit computes the scaler of a column from the given rows. The scale is MAD times 1.4826; where more than half of the
// values are equal, so that the MAD is zero, the mean absolute deviation times sqrt(pi/2) takes its place; a constant
// column is divided by 1.
func Fit(column string, values []float64, rows []int) (Scaler, error) {
	x := make([]float64, 0, len(rows))
	for _, r := range rows {
		if math.IsNaN(values[r]) || math.IsInf(values[r], 0) {
			return Scaler{}, fmt.Errorf("column %q, row %d: %v can't be scaled", column, r+1, values[r])
		}
		x = append(x, values[r])
	}
	if len(x) == 0 {
		return Scaler{}, fmt.Errorf("column %q: there are no rows to fit the scaler on", column)
	}
	m := median(x)
	mean := 0.0
	for i, v := range x {
		x[i] = math.Abs(v - m)
		mean += x[i]
	}
	mean /= float64(len(x))
	s := Scaler{Column: column, Median: m, MAD: median(x)}
	switch {
	case s.MAD > 0:
		s.Scale = s.MAD * normal
	case mean > 0:
		s.Scale = mean * math.Sqrt(math.Pi/2)
	default:
		s.Scale = 1
	}
	return s, nil
}

// Apply scales a value and clips it to [-clip, clip].
func (s Scaler) Apply(v, clip float64) float64 {
	return math.Max(-clip, math.Min(clip, (v-s.Median)/s.Scale))
}

// Clips reports whether Apply would clip the value.
func (s Scaler) Clips(v, clip float64) bool { return math.Abs((v-s.Median)/s.Scale) > clip }

// median sorts x.
func median(x []float64) float64 {
	sort.Float64s(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return x[n/2-1] + (x[n/2]-x[n/2-1])/2
}
