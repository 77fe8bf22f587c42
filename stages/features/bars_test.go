package features_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pipe/stages/features"
)

// hour is the first bar of every made series: 2025-01-06T00:00:00Z.
const hour, start = 3600, 1736121600

// legs makes two legs with a mean-reverting spread, n bars each.
func legs(seed uint64, n int) (a, b features.Bars) {
	r := rand.New(rand.NewPCG(seed, 1))
	x, s := math.Log(150), 0.0
	for i := range n {
		x += 0.002 * r.NormFloat64()
		s = 0.9*s + 0.002*r.NormFloat64()
		at := int64(start + i*hour)
		add(&a, at, math.Exp(3-0.6*x+s), r)
		add(&b, at, math.Exp(x), r)
	}
	a.Symbol, b.Symbol = "EURUSD", "USDJPY"
	return a, b
}

func add(b *features.Bars, at int64, price float64, r *rand.Rand) {
	open := price
	if n := b.Len(); n > 0 {
		open = b.Close[n-1]
	}
	b.Time = append(b.Time, at)
	b.Open, b.Close = append(b.Open, open), append(b.Close, price)
	b.High = append(b.High, math.Max(open, price)*(1+0.001*r.Float64()))
	b.Low = append(b.Low, math.Min(open, price)*(1-0.001*r.Float64()))
}

func head(b features.Bars, n int) features.Bars {
	out := features.Bars{Symbol: b.Symbol, Time: b.Time[:n:n], Open: b.Open[:n:n], High: b.High[:n:n], Low: b.Low[:n:n], Close: b.Close[:n:n]}
	if b.Carried != nil {
		out.Carried = map[string][]float64{}
		for k, v := range b.Carried {
			out.Carried[k] = v[:n:n]
		}
	}
	return out
}

// small are windows that fill within a few dozen bars.
func small() features.Params {
	return features.Params{BetaWindow: 40, ZWindow: 30, ZEMASpan: 6, StabilityWindow: 20, HalfLifeWindow: 30, DrawdownWindow: 24,
		ATRPeriod: 14, RhoWindow: 25, EMAFast: 12, EMASlow: 26, SlopeWindow: 20, RSIPeriod: 14}
}

func page() features.LabelParams {
	return features.LabelParams{ZEntry: 2, ZExit: 0.5, DeltaZEMA: 0.12, AI1Horizon: 48, RhoVar: 0.025, ATRRatio: 1.8, Drawdown: 0.07}
}

func TestAlign(t *testing.T) {
	a, b := legs(1, 10)
	a.Filled = make([]bool, 10)
	a.Filled[4] = true
	cut := head(b, 9)
	cut.Time = append([]int64(nil), cut.Time...)
	cut.Time[0] -= 60 // this bar has no partner, nor has the first of a
	x, y, al, err := features.Align(a, cut)
	if err != nil {
		t.Fatal(err)
	}
	want := features.Alignment{RowsA: 10, RowsB: 9, Joined: 8, OnlyA: 2, OnlyB: 1, Filled: 1}
	if al != want {
		t.Errorf("alignment %+v, want %+v", al, want)
	}
	for i := range x.Time {
		if x.Time[i] != y.Time[i] || x.Close[i] != a.Close[i+1] || y.Close[i] != b.Close[i+1] {
			t.Fatalf("row %d does not hold the bars of its time", i)
		}
	}
	later := head(b, 9)
	later.Time = append([]int64(nil), later.Time...)
	for i := range later.Time {
		later.Time[i] += 1e6
	}
	if _, _, _, err := features.Align(a, later); err == nil {
		t.Error("legs without a common timestamp were joined")
	}
}

func TestBarsAreChecked(t *testing.T) {
	for want, spoil := range map[string]func(*features.Bars){
		"does not come after": func(b *features.Bars) { b.Time[3] = b.Time[2] },
		"price of 0":          func(b *features.Bars) { b.Close[3] = 0 },
		"price of NaN":        func(b *features.Bars) { b.High[3] = math.NaN() },
		"price of +Inf":       func(b *features.Bars) { b.Low[3] = math.Inf(1) },
		"has no bars":         func(b *features.Bars) { *b = features.Bars{Symbol: "X"} },
	} {
		a, b := legs(1, 10)
		spoil(&a)
		if _, _, _, err := features.Align(a, b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}
