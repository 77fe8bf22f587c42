package isotonic_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pipe/stages/features/oracletest"
	"pipe/stages/train/isotonic"
)

func TestAgainstScikitLearn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	score, y, ask := make(oracletest.Series, 400), make(oracletest.Series, 400), make(oracletest.Series, 101)
	for i := range score {
		score[i] = math.Round(r.Float64()*200) / 200 // with ties
		if r.Float64() < score[i]*score[i] {
			y[i] = 1
		}
	}
	for i := range ask {
		ask[i] = -0.1 + 1.2*float64(i)/100 // beyond the ends too
	}
	c, err := isotonic.Fit(score, y)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, len(ask))
	for i, s := range ask {
		got[i] = c.At(s)
	}
	var want map[string]oracletest.Series
	oracletest.Run(t, `
from sklearn.isotonic import IsotonicRegression
m = IsotonicRegression(out_of_bounds="clip").fit(arg["s"], arg["y"])
bound = 1/(len(arg["y"])+2)
reply({"p": np.clip(m.predict(arg["ask"]), bound, 1-bound)})`, map[string]any{"s": score, "y": y, "ask": ask}, &want)
	oracletest.Same(t, "calibrated", got, want["p"], 1e-9)
}

func TestByHand(t *testing.T) {
	// Outcomes 0 1 0 1 at scores 1 2 3 4: the middle pair violates and is pooled to 1/2.
	c, err := isotonic.Fit([]float64{3, 1, 4, 2}, []float64{0, 0, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	for score, want := range map[float64]float64{0: 1. / 6, 1: 1. / 6, 1.5: 0.25, 2: 0.5, 2.7: 0.5, 3: 0.5, 3.5: 0.75, 9: 5. / 6} {
		if got := c.At(score); math.Abs(got-want) > 1e-12 {
			t.Errorf("at %v: %v, want %v", score, got, want)
		}
	}
}

func TestNeverDecreases(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 50 {
		n := 1 + r.IntN(40)
		score, y := make([]float64, n), make([]float64, n)
		for i := range score {
			score[i], y[i] = float64(r.IntN(10)), float64(r.IntN(2))
		}
		c, err := isotonic.Fit(score, y)
		if err != nil {
			t.Fatal(err)
		}
		last := math.Inf(-1)
		for s := -1.0; s < 11; s += 0.25 {
			p := c.At(s)
			if p < last || p <= 0 || p >= 1 {
				t.Fatalf("%d samples: %v at %v after %v", n, p, s, last)
			}
			last = p
		}
	}
}
