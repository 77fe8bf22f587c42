package rolling_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pipe/stages/features/oracletest"
	"pipe/stages/features/rolling"
)

type series = oracletest.Series

func walk(seed uint64, n int) series {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make(series, n)
	for i := range x {
		if i > 0 {
			x[i] = x[i-1]
		}
		x[i] += r.NormFloat64() * 0.01
	}
	return x
}

const script = `
a, b = pd.Series(arg["a"]), pd.Series(arg["b"])
h, l = pd.Series(arg["high"]), pd.Series(arg["low"])
def wilder(x, n):
    x = np.asarray(x, float); out = np.full(len(x), np.nan); seen = []
    prev = None
    for i, v in enumerate(x):
        if np.isnan(v): continue
        if prev is None:
            seen.append(v)
            if len(seen) == n:
                prev = np.mean(seen); out[i] = prev
        else:
            prev = prev + (v - prev) / n; out[i] = prev
    return out
def half(w):
    phi = np.polyfit(w[:-1], w[1:], 1)[0]
    if phi <= 0: return 0.0
    if phi >= 1: return float(len(w))
    return min(-np.log(2)/np.log(phi), float(len(w)))
tr = pd.concat([h-l, (h-a.shift()).abs(), (l-a.shift()).abs()], axis=1).max(axis=1); tr[0] = np.nan
d = a.diff()
g, s = wilder(d.clip(lower=0), 14), wilder((-d).clip(lower=0), 14)
beta = a.rolling(40).cov(b) / b.rolling(40).var()
reply({
 "mean": a.rolling(20).mean(), "var": a.rolling(20).var(), "std": a.rolling(20).std(),
 "max": a.rolling(20).max(), "min": a.rolling(20).min(), "diff": d,
 "z": (a - a.rolling(20).mean()) / a.rolling(20).std(),
 "beta": beta, "alpha": a.rolling(40).mean() - beta * b.rolling(40).mean(),
 "corr": a.rolling(30).corr(b),
 "slope": a.rolling(20).apply(lambda w: np.polyfit(np.arange(len(w)), w, 1)[0], raw=True),
 "half": a.rolling(60).apply(half, raw=True),
 "ema": a.ewm(span=12, adjust=False, min_periods=12).mean(),
 "atr": wilder(tr, 14), "rsi": 100 - 100/(1+g/s),
})`

func TestAgainstPandas(t *testing.T) {
	a, b := walk(1, 400), walk(2, 400)
	high, low := make(series, len(a)), make(series, len(a))
	r := rand.New(rand.NewPCG(3, 3))
	for i := range a {
		high[i], low[i] = a[i]+0.01*r.Float64(), a[i]-0.01*r.Float64()
	}
	var want map[string]series
	oracletest.Run(t, script, map[string]series{"a": a, "b": b, "high": high, "low": low}, &want)
	line := rolling.OLS(a, b, 40)
	got := []struct {
		name   string
		values []float64
	}{
		{"mean", rolling.Mean(a, 20)}, {"var", rolling.Var(a, 20)}, {"std", rolling.Std(a, 20)},
		{"max", rolling.Max(a, 20)}, {"min", rolling.Min(a, 20)}, {"diff", rolling.Diff(a)},
		{"z", rolling.ZScore(a, 20)}, {"beta", line.Beta}, {"alpha", line.Alpha},
		{"corr", rolling.Corr(a, b, 30)}, {"slope", rolling.Slope(a, 20)}, {"half", rolling.HalfLife(a, 60)},
		{"ema", rolling.EMA(a, 12)}, {"atr", rolling.ATR(high, low, a, 14)}, {"rsi", rolling.RSI(a, 14)},
	}
	for _, g := range got {
		oracletest.Same(t, g.name, g.values, want[g.name], 1e-9)
	}
	if len(want) != len(got) {
		t.Errorf("the oracle has %d series, %d were compared", len(want), len(got))
	}
}

func TestUndefined(t *testing.T) {
	constant := []float64{0.1, 0.1, 0.1, 0.1}
	moving := []float64{1, 2, 4, 3}
	for name, v := range map[string]float64{
		"z of a flat window":        rolling.ZScore(constant, 4)[3],
		"line on a flat x":          rolling.OLS(moving, constant, 4).Beta[3],
		"correlation with flat":     rolling.Corr(moving, constant, 4)[3],
		"half-life of a flat x":     rolling.HalfLife(constant, 4)[3],
		"window that is not full":   rolling.Mean(moving, 5)[3],
		"window with a missing one": rolling.Mean([]float64{1, math.NaN(), 3}, 2)[2],
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s: got %v, want no value", name, v)
		}
	}
	if v := rolling.Var(constant, 4)[3]; v != 0 {
		t.Errorf("variance of a flat window: %v, want exactly 0", v)
	}
	if v := rolling.RSI(constant, 2)[3]; v != 50 {
		t.Errorf("RSI of a flat series: %v, want 50", v)
	}
	gap := rolling.EMA([]float64{1, 2, math.NaN(), 2}, 2)
	if !math.IsNaN(gap[2]) || math.IsNaN(gap[3]) {
		t.Errorf("EMA over a gap: %v, want the gap missing and the next value present", gap)
	}
}

func TestHalfLifeRecoversProcess(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	x := make([]float64, 200000) // the estimate's standard error is then 0.12 bars
	phi := math.Exp(-math.Ln2 / 10)
	for i := 1; i < len(x); i++ {
		x[i] = phi*x[i-1] + r.NormFloat64()
	}
	if got := rolling.HalfLife(x, len(x))[len(x)-1]; math.Abs(got-10) > 0.5 {
		t.Errorf("half-life of a process made with 10 bars: %v", got)
	}
	trend := make([]float64, 50)
	for i := range trend {
		trend[i] = math.Exp(float64(i) / 10)
	}
	if got := rolling.HalfLife(trend, 50)[49]; got != 50 {
		t.Errorf("half-life of an explosive series: %v, want the window's 50", got)
	}
}
