package sim

import (
	"fmt"
	"math"
)

// Stress lists the scenarios, by kind; each number is one scenario.
type Stress struct {
	VolSpike      []float64 `cty:"vol_spike" json:"vol_spike"`           // factor on every price change, and on slippage and spread
	CorrBreakdown []float64 `cty:"corr_breakdown" json:"corr_breakdown"` // what the legs' correlation falls to
	CostIncrease  []float64 `cty:"cost_increase" json:"cost_increase"`   // basis points more on every fill
	LatencyBars   []int     `cty:"latency_bars" json:"latency_bars"`     // bars later than the next one
	GapPercent    []float64 `cty:"gap_percent" json:"gap_percent"`       // against leg A of an open position, over every closing
}

// Check refuses scenarios that mean nothing; the error begins with the kind.
func (s Stress) Check() error {
	for _, k := range []struct {
		name string
		list []float64
		ok   func(v float64) bool
		must string
	}{
		{"vol_spike", s.VolSpike, func(v float64) bool { return v > 0 && !math.IsInf(v, 0) }, "a positive factor"},
		{"corr_breakdown", s.CorrBreakdown, func(v float64) bool { return v >= 0 && v < 1 }, "a correlation from 0 to below 1"},
		{"cost_increase", s.CostIncrease, func(v float64) bool { return v >= 0 && v <= 1e4 }, "basis points from 0 to 10000"},
		{"gap_percent", s.GapPercent, func(v float64) bool { return v >= 0 && v <= 100 }, "a percentage from 0 to 100"},
	} {
		for _, v := range k.list {
			if !k.ok(v) {
				return fmt.Errorf("%s: %v must be %s", k.name, v, k.must)
			}
		}
	}
	for _, v := range s.LatencyBars {
		if v < 0 {
			return fmt.Errorf("latency_bars: %d must be zero or more", v)
		}
	}
	return nil
}

// Outcome of one scenario. Reason says why a scenario could not be made from the data.
type Outcome struct {
	Scenario     string            `json:"scenario"`
	Value        float64           `json:"value"`
	Sharpe       *float64          `json:"sharpe"`
	MaxDrawdown  *float64          `json:"max_drawdown"`
	AnnualReturn *float64          `json:"annual_return"`
	Trades       int               `json:"trades"`
	Missing      map[string]string `json:"missing,omitempty"`
	Reason       string            `json:"reason,omitempty"`
}

// Setup is everything a simulation reads. Slippage and spread are the parts of the legs' costs that grow with volatility.
type Setup struct {
	Market   Market
	Signals  Signals
	Legs     []Leg
	Policy   Policy
	Volatile []float64 // per leg: basis points of CostBps that scale with volatility
}

// Test runs every scenario, in the order of the fields of Stress. The scores stay as they were: the scenarios ask what
// the same decisions would have earned.
func (s Stress) Test(base Setup) ([]Outcome, error) {
	var out []Outcome
	run := func(kind string, value float64, change func(*Setup) error) error {
		v := base
		v.Legs = append([]Leg(nil), base.Legs...)
		o := Outcome{Scenario: kind, Value: value}
		if err := change(&v); err != nil {
			o.Reason = err.Error()
			out = append(out, o)
			return nil
		}
		res, err := Run(v.Market, v.Signals, v.Legs, v.Policy)
		if err != nil {
			return fmt.Errorf("scenario %s %v: %w", kind, value, err)
		}
		sum, _, err := Summarize(v.Market, v.Signals, v.Policy, res)
		if err != nil {
			return err
		}
		o.Sharpe, o.MaxDrawdown, o.AnnualReturn, o.Trades, o.Missing = sum.Sharpe, sum.MaxDrawdown, sum.AnnualReturn, sum.Trades, sum.Missing
		out = append(out, o)
		return nil
	}
	for _, k := range s.kinds() {
		for _, value := range k.values {
			if err := run(k.name, value, func(v *Setup) error { return k.apply(v, value) }); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

type kind struct {
	name   string
	values []float64
	apply  func(v *Setup, value float64) error
}

func (s Stress) kinds() []kind {
	latency := make([]float64, len(s.LatencyBars))
	for i, n := range s.LatencyBars {
		latency[i] = float64(n)
	}
	return []kind{
		{"vol_spike", s.VolSpike, func(v *Setup, k float64) error {
			v.Market = v.Market.spiked(k)
			for i := range v.Legs {
				v.Legs[i].CostBps += (k - 1) * v.Volatile[i]
			}
			return nil
		}},
		{"corr_breakdown", s.CorrBreakdown, func(v *Setup, c float64) (err error) {
			v.Market, err = v.Market.decoupled(c)
			return err
		}},
		{"cost_increase", s.CostIncrease, func(v *Setup, bps float64) error {
			for i := range v.Legs {
				v.Legs[i].CostBps += bps
			}
			return nil
		}},
		{"latency_bars", latency, func(v *Setup, n float64) error { v.Policy.Latency += int(n); return nil }},
		{"gap_percent", s.GapPercent, func(v *Setup, g float64) error { v.Policy.GapPercent += g; return nil }},
	}
}

// steps are the log changes along open, close, open, close, …; start is the log of the first open, and the first
// change, which leads to it, is zero.
func steps(open, closing []float64) (start float64, change []float64) {
	last := math.Log(open[0])
	start = last
	for t := range open {
		for _, v := range [2]float64{math.Log(open[t]), math.Log(closing[t])} {
			change = append(change, v-last)
			last = v
		}
	}
	return start, change
}

func fromSteps(start float64, change []float64) (open, closing []float64) {
	at := start
	for i, c := range change {
		at += c
		if i%2 == 0 {
			open = append(open, math.Exp(at))
		} else {
			closing = append(closing, math.Exp(at))
		}
	}
	return open, closing
}

// spiked multiplies every log change of the prices.
func (m Market) spiked(k float64) Market {
	grow := func(open, closing []float64) ([]float64, []float64) {
		start, change := steps(open, closing)
		for i := range change {
			change[i] *= k
		}
		return fromSteps(start, change)
	}
	m.OpenA, m.CloseA = grow(m.OpenA, m.CloseA)
	if !m.Single() {
		m.OpenB, m.CloseB = grow(m.OpenB, m.CloseB)
	}
	return m
}

// decoupled replaces leg B by one with the same mean and variance of log changes whose correlation with leg A has the
// same sign and the size c (or the size it has, if that is smaller): the part of B that A explains is reduced, and the
// part that it doesn't is enlarged.
func (m Market) decoupled(c float64) (Market, error) {
	if m.Single() {
		return m, fmt.Errorf("there is one leg only: no correlation can break down")
	}
	_, a := steps(m.OpenA, m.CloseA)
	start, b := steps(m.OpenB, m.CloseB)
	a = a[1:]
	moved := b[1:] // moved shares b's memory
	n := float64(len(a))
	ma, mb := 0.0, 0.0
	for i := range a {
		ma, mb = ma+a[i]/n, mb+moved[i]/n
	}
	saa, sbb, sab := 0.0, 0.0, 0.0
	for i := range a {
		da, db := a[i]-ma, moved[i]-mb
		saa, sbb, sab = saa+da*da, sbb+db*db, sab+da*db
	}
	rho := sab / math.Sqrt(saa*sbb)
	switch {
	case saa == 0 || sbb == 0 || 1-rho*rho < 1e-12:
		return m, fmt.Errorf("the legs' changes are constant or wholly correlated: there is no part of leg B of its own")
	case math.Abs(rho) <= c:
		return m, nil
	}
	explained := math.Copysign(c, rho) * math.Sqrt(sbb/saa)
	own := math.Sqrt((1 - c*c) / (1 - rho*rho))
	for i := range moved {
		residual := moved[i] - mb - sab/saa*(a[i]-ma)
		moved[i] = mb + explained*(a[i]-ma) + own*residual
	}
	m.OpenB, m.CloseB = fromSteps(start, b)
	return m, nil
}
