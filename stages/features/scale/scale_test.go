package scale_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pipe/stages/features/oracletest"
	"pipe/stages/features/scale"
)

func TestAgainstNumpy(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{101, 100} {
		x, rows := make(oracletest.Series, n), make([]int, n)
		for i := range x {
			x[i], rows[i] = 3+math.Exp(r.NormFloat64()), i
		}
		s, err := scale.Fit("x", x, rows)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, n)
		for i, v := range x {
			got[i] = s.Apply(v, 2)
		}
		var want map[string]oracletest.Series
		oracletest.Run(t, `
x = arg["x"]; m = np.median(x); mad = np.median(np.abs(x - m))
from scipy.stats import norm
scale = mad / norm.ppf(0.75)
reply({"fit": [m, mad, scale], "scaled": np.clip((x - m) / scale, -2, 2)})`, map[string]any{"x": x}, &want)
		oracletest.Same(t, "fit", []float64{s.Median, s.MAD, s.Scale}, want["fit"], 1e-12)
		oracletest.Same(t, "scaled", got, want["scaled"], 1e-12)
	}
}

func TestFitReadsItsRowsOnly(t *testing.T) {
	x := []float64{1, 2, 3, 4, 1e9, math.NaN()}
	s, err := scale.Fit("x", x, []int{0, 1, 2, 3})
	if err != nil || s.Median != 2.5 || s.MAD != 1 {
		t.Errorf("got %+v, %v; want median 2.5 and MAD 1", s, err)
	}
	if _, err := scale.Fit("x", x, []int{5}); err == nil {
		t.Error("a missing value was fitted on")
	}
	if _, err := scale.Fit("x", x, nil); err == nil {
		t.Error("no rows were fitted on")
	}
}

func TestDegenerateColumns(t *testing.T) {
	all := []int{0, 1, 2, 3, 4}
	if s, _ := scale.Fit("constant", []float64{7, 7, 7, 7, 7}, all); s.Scale != 1 || s.Apply(7, 5) != 0 {
		t.Errorf("constant column: %+v", s)
	}
	s, _ := scale.Fit("mostly equal", []float64{0, 0, 0, 0, 10}, all)
	if want := 2 * math.Sqrt(math.Pi/2); s.MAD != 0 || s.Scale != want {
		t.Errorf("column with MAD 0: %+v, want scale %v", s, want)
	}
}
