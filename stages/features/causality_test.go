package features_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pipe/stages/features"
)

type builder func(a, b features.Bars) (*features.Set, error)

func builders() map[string]builder {
	return map[string]builder{
		"pair": func(a, b features.Bars) (*features.Set, error) { return features.Pair(a, b, small()) },
		"single": func(a, _ features.Bars) (*features.Set, error) {
			return features.Single(a, small())
		},
	}
}

func carry(b *features.Bars, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	z, rho, atr := make([]float64, b.Len()), make([]float64, b.Len()), make([]float64, b.Len())
	for i := range z {
		z[i], rho[i], atr[i] = r.NormFloat64(), 0.05*r.Float64(), 0.5+2*r.Float64()
		if i > 0 {
			z[i] = 0.9*z[i-1] + 0.5*z[i]
		}
	}
	b.Carried = map[string][]float64{"z": z, "rho_var_25": rho, "atr_ratio": atr}
}

// TestFeaturesReadNoFuture cuts the future off, and replaces it by another one, at many bars: every column that is no
// label must keep its bits up to that bar.
func TestFeaturesReadNoFuture(t *testing.T) {
	const n = 320
	a, b := legs(1, n)
	carry(&a, 3)
	otherA, otherB := legs(99, n)
	carry(&otherA, 77)
	r := rand.New(rand.NewPCG(8, 8))
	for name, build := range builders() {
		whole, err := build(a, b)
		if err != nil {
			t.Fatal(err)
		}
		present := 0
		for range 40 {
			at := 1 + r.IntN(n-2)
			cut, err := build(head(a, at+1), head(b, at+1))
			if err != nil {
				t.Fatal(err)
			}
			changed, err := build(splice(a, otherA, at+1), splice(b, otherB, at+1))
			if err != nil {
				t.Fatal(err)
			}
			for _, col := range whole.Frame.Names() {
				want, _ := whole.Frame.Col(col)
				for kind, set := range map[string]*features.Set{"removed": cut, "changed": changed} {
					got, _ := set.Frame.Col(col)
					for i := 0; i <= at; i++ {
						if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
							t.Fatalf("%s: %s at bar %d changed from %v to %v when the bars after %d were %s", name, col, i, want[i], got[i], at, kind)
						}
						if !math.IsNaN(want[i]) {
							present++
						}
					}
				}
			}
		}
		if present == 0 {
			t.Errorf("%s: no value was present, so nothing was compared", name)
		}
	}
}

// splice takes the first n bars from a and the rest from b.
func splice(a, b features.Bars, n int) features.Bars {
	join := func(x, y []float64) []float64 { return append(append([]float64(nil), x[:n]...), y[n:]...) }
	out := features.Bars{Symbol: a.Symbol, Time: a.Time, Open: join(a.Open, b.Open), High: join(a.High, b.High),
		Low: join(a.Low, b.Low), Close: join(a.Close, b.Close), Carried: map[string][]float64{}}
	for k, v := range a.Carried {
		out.Carried[k] = join(v, b.Carried[k])
	}
	return out
}

// TestLabelsEndWhereTheySay changes everything after a label's end: the label must stay. And a label whose horizon is
// cut off must be missing.
func TestLabelsEndWhereTheySay(t *testing.T) {
	const n = 1200
	a, b := legs(4, n)
	otherA, otherB := legs(98, n)
	l := page()
	l.AI1Horizon, l.AI2Horizon, l.DeltaZEMA = 12, 3, 0.5
	labelled := func(a, b features.Bars) *features.Set {
		s, err := features.Pair(a, b, small())
		if err != nil {
			t.Fatal(err)
		}
		if err := features.Label(s, l, small()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole := labelled(a, b)
	for _, m := range []struct {
		label, end string
		horizon    int
	}{{features.AI1Label, features.AI1End, 12}, {features.AI2Label, features.AI2End, 3}} {
		label, _ := whole.Frame.Col(m.label)
		end, _ := whole.Frame.Col(m.end)
		seen, early := 0, 0
		for i := range label {
			if math.IsNaN(label[i]) {
				if !math.IsNaN(end[i]) {
					t.Fatalf("%s: bar %d has an end and no label", m.label, i)
				}
				continue
			}
			seen++
			last := (int(end[i]) - start) / hour
			if last < i || last > i+m.horizon {
				t.Fatalf("%s: the label of bar %d ends at %d, beyond its horizon", m.label, i, last)
			}
			if last < i+m.horizon {
				early++
			}
			if seen%7 != 0 {
				continue
			}
			got, _ := labelled(splice(a, otherA, last+1), splice(b, otherB, last+1)).Frame.Col(m.label)
			if got[i] != label[i] {
				t.Fatalf("%s of bar %d depends on bars after its end %d", m.label, i, last)
			}
			cut, _ := labelled(head(a, i+m.horizon), head(b, i+m.horizon)).Frame.Col(m.label)
			if !math.IsNaN(cut[i]) {
				t.Fatalf("%s of bar %d is known although its horizon is cut off", m.label, i)
			}
		}
		if seen < 20 || early == 0 {
			t.Errorf("%s: %d samples, %d decided early: too few to say anything", m.label, seen, early)
		}
	}
}
