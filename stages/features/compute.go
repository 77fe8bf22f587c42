package features

import (
	"fmt"
	"math"

	"pipe/stages/features/frame"
	"pipe/stages/features/rolling"
)

// Set is a computed table: its columns, and which of them are features, in the order that models use.
type Set struct {
	Frame    *frame.Frame
	Features []string
	// State are the columns that are no features but are needed to label and to trade: coefficients and prices.
	State []string
}

type column struct {
	name   string
	values []float64
}

func newSet(time []int64, state, features []column) (*Set, error) {
	f, err := frame.New(time)
	if err != nil {
		return nil, err
	}
	s := &Set{Frame: f}
	for _, c := range state {
		if err := f.Set(c.name, c.values); err != nil {
			return nil, err
		}
		s.State = append(s.State, c.name)
	}
	for _, c := range features {
		if err := f.Set(c.name, c.values); err != nil {
			return nil, err
		}
		s.Features = append(s.Features, c.name)
	}
	return s, nil
}

// Pair computes the features of the spread of two aligned legs.
func Pair(a, b Bars, p Params) (*Set, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	logA, logB := logs(a.Close), logs(b.Close)
	line := rolling.OLS(logA, logB, p.BetaWindow)
	spread := make([]float64, len(logA))
	for t := range spread {
		spread[t] = logA[t] - line.Alpha[t] - line.Beta[t]*logB[t]
	}
	z := rolling.ZScore(spread, p.ZWindow)
	path := holderPath(logA, logB, line.Beta)
	rho := rolling.Corr(rolling.Diff(logA), rolling.Diff(logB), p.RhoWindow)
	atrA, atrB := rolling.ATR(a.High, a.Low, a.Close, p.ATRPeriod), rolling.ATR(b.High, b.Low, b.Close, p.ATRPeriod)
	state := append(append([]column{{"beta", line.Beta}}, prices("a", a)...), prices("b", b)...)
	features := append([]column{{"spread", spread}}, reversion(z, p)...)
	features = append(features,
		column{"atr_a", atrA}, column{"atr_b", atrB},
		column{"atr_ratio", ratio(ratio(atrA, a.Close), ratio(atrB, b.Close))},
		column{p.rho(), rho}, column{p.rhoVar(), rolling.Var(rho, p.RhoWindow)},
		column{"beta_stability", stability(line.Beta, p.StabilityWindow)},
		column{"half_life", rolling.HalfLife(spread, p.HalfLifeWindow)})
	features = append(features, momentum(path, p)...)
	return newSet(a.Time, state, append(features, mirrored(features)...))
}

// Single computes the features of one symbol that carries z, the variance of rho, and the ATR ratio.
func Single(b Bars, p Params) (*Set, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	carried := map[string][]float64{}
	for _, name := range []string{"z", p.rhoVar(), "atr_ratio"} {
		c, ok := b.Carried[name]
		if !ok {
			return nil, fmt.Errorf("the bars of %s carry no column %q: one symbol alone needs it; otherwise give two legs, from which it is computed", b.Symbol, name)
		}
		carried[name] = c
	}
	z := carried["z"]
	features := append(reversion(z, p),
		column{"atr_a", rolling.ATR(b.High, b.Low, b.Close, p.ATRPeriod)},
		column{"atr_ratio", carried["atr_ratio"]}, column{p.rhoVar(), carried[p.rhoVar()]},
		column{"half_life", rolling.HalfLife(z, p.HalfLifeWindow)})
	features = append(features, momentum(logs(b.Close), p)...)
	return newSet(b.Time, prices("a", b), append(features, mirrored(features)...))
}

func prices(leg string, b Bars) []column {
	return []column{{"open_" + leg, b.Open}, {"close_" + leg, b.Close}}
}

func reversion(z []float64, p Params) []column {
	dz := rolling.Diff(z)
	return []column{{"z", z}, {"delta_z", dz}, {"z_ema", rolling.EMA(z, p.ZEMASpan)}, {"delta_z_ema", rolling.EMA(dz, p.ZEMASpan)}}
}

func momentum(path []float64, p Params) []column {
	fast, slow := rolling.EMA(path, p.EMAFast), rolling.EMA(path, p.EMASlow)
	gap := make([]float64, len(path))
	for t := range gap {
		gap[t] = fast[t] - slow[t]
	}
	return []column{{"ema_gap", gap}, {"slope", rolling.Slope(path, p.SlopeWindow)}, {"rsi", rolling.RSI(path, p.RSIPeriod)},
		{"drawdown_recent", drawdown(path, p.DrawdownWindow)}}
}

// mirrored derives the columns in which a high z and a low z look alike.
func mirrored(from []column) []column {
	by := map[string][]float64{}
	for _, c := range from {
		by[c.name] = c.values
	}
	z := by["z"]
	abs := func(x []float64) []float64 {
		return each(x, func(_ int, v float64) float64 { return math.Abs(v) })
	}
	side := func(x []float64) []float64 {
		return each(x, func(t int, v float64) float64 { return v * sign(z[t]) })
	}
	return []column{{"abs_z", abs(z)}, {"abs_delta_z_ema", abs(by["delta_z_ema"])}, {"delta_z_side", side(by["delta_z"])},
		{"ema_gap_side", side(by["ema_gap"])}, {"slope_side", side(by["slope"])}}
}

// holderPath sums what one unit of A against beta units of B earns, in log units. The beta of the bar before is used,
// because that is the one a holder could have had; so a new estimate of beta moves no profit.
func holderPath(logA, logB, beta []float64) []float64 {
	out := make([]float64, len(logA))
	sum := 0.0
	for t := range out {
		if t == 0 || math.IsNaN(beta[t-1]) {
			out[t] = math.NaN()
			continue
		}
		sum += (logA[t] - logA[t-1]) - beta[t-1]*(logB[t]-logB[t-1])
		out[t] = sum
	}
	return out
}

func drawdown(path []float64, n int) []float64 {
	high, low := rolling.Max(path, n), rolling.Min(path, n)
	return each(path, func(t int, v float64) float64 {
		return math.Max(1-math.Exp(v-high[t]), 1-math.Exp(low[t]-v))
	})
}

func stability(beta []float64, n int) []float64 {
	mean, std := rolling.Mean(beta, n), rolling.Std(beta, n)
	return each(mean, func(t int, m float64) float64 {
		if m == 0 {
			return 0
		}
		return 1 / (1 + std[t]/math.Abs(m))
	})
}

func logs(x []float64) []float64 {
	return each(x, func(_ int, v float64) float64 { return math.Log(v) })
}

func ratio(a, b []float64) []float64 {
	return each(a, func(t int, v float64) float64 {
		if b[t] == 0 {
			return math.NaN()
		}
		return v / b[t]
	})
}

func each(x []float64, f func(t int, v float64) float64) []float64 {
	out := make([]float64, len(x))
	for t, v := range x {
		out[t] = f(t, v)
	}
	return out
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v // zero, or missing
}
