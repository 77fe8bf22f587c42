package sim_test

import (
	"encoding/json"
	"encoding/xml"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pipe/stages/backtest/sim"
)

const hour, start = 3600, 1736121600 // Monday 2025-01-06T00:00:00Z

func bars(n int) []int64 {
	at := make([]int64, n)
	for i := range at {
		at[i] = int64(start + i*hour + i/120*48*hour) // five days, then a weekend
	}
	return at
}

func fill(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func pairLegs(bps float64) []sim.Leg {
	return []sim.Leg{
		{Symbol: "EURUSD", MinLot: 0.01, LotStep: 0.01, LotValue: 100000, PerPrice: true, CostBps: bps},
		{Symbol: "USDJPY", MinLot: 0.01, LotStep: 0.01, LotValue: 100000, CostBps: bps},
	}
}

func policy() sim.Policy {
	return sim.Policy{Theta1: 0.7, Theta2: 0.3, ThetaStop: 0.45, ZEntry: 2, ZExit: 0.5, DeltaZEMA: 0.12, MaxBars: 48, Capital: 100000, Leverage: 2}
}

// made draws a market with a reverting spread, and scores that are sometimes missing.
func made(seed uint64, n int) (sim.Market, sim.Signals) {
	r := rand.New(rand.NewPCG(seed, 3))
	m := sim.Market{Time: bars(n)}
	s := sim.Signals{}
	x, z, before := math.Log(150), 0.0, [2]float64{1.1, 150}
	for range n {
		x += 0.002 * r.NormFloat64()
		z = 0.93*z + 0.4*r.NormFloat64()
		b := math.Exp(x)
		a := math.Exp(0.1 + 0.5*(math.Log(150)-x) + 0.01*z)
		m.OpenA, m.OpenB = append(m.OpenA, before[0]*(1+0.0003*r.NormFloat64())), append(m.OpenB, before[1]*(1+0.0003*r.NormFloat64()))
		m.CloseA, m.CloseB = append(m.CloseA, a), append(m.CloseB, b)
		before = [2]float64{a, b}
		p, risk, beta := r.Float64(), 0.5*r.Float64(), -0.5+0.05*r.NormFloat64()
		if r.IntN(15) == 0 {
			p, risk = math.NaN(), math.NaN()
		}
		if r.IntN(40) == 0 {
			beta = math.NaN()
		}
		s.Z, s.DeltaZEMA, s.Beta = append(s.Z, z), append(s.DeltaZEMA, 0.1*r.NormFloat64()), append(s.Beta, beta)
		s.ReturnProb, s.RiskScore = append(s.ReturnProb, math.Min(1, p+0.3)), append(s.RiskScore, risk)
	}
	return m, s
}

func run(t *testing.T, m sim.Market, s sim.Signals, legs []sim.Leg, p sim.Policy) *sim.Result {
	t.Helper()
	res, err := sim.Run(m, s, legs, p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestByHand: one trade whose every figure is worked out here.
//
// Signal at bar 1 (z = 2.5: sell the spread), filled at bar 2's open; z is back at 0.4 at bar 3, filled at bar 4's open.
// Equity 100000, leverage 2, beta -0.6: gross 200000 = A x (1 + 0.6), so A = 125000. At 1.25 a lot of EURUSD is worth
// 125000: exactly 1 lot, sold. Spread = A - (-0.6) B = A + 0.6 B: B is sold too, 75000 = 0.75 lots of USDJPY.
// Fill costs at 23 bps: 287.50 and 172.50. EURUSD falls to 1.20: 5000 won. USDJPY rises from 150 to 160: 75000 USD
// were sold at 150 and cost 750000 JPY more at 160: 4687.50 USD lost. Exit costs: 120000 x 23 bps = 276, 172.50.
func TestByHand(t *testing.T) {
	m := sim.Market{Time: bars(6),
		OpenA: []float64{1.3, 1.3, 1.25, 1.24, 1.20, 9}, CloseA: []float64{1.3, 1.3, 1.24, 1.22, 9, 9},
		OpenB: []float64{140, 140, 150, 155, 160, 1}, CloseB: []float64{140, 140, 155, 158, 1, 1}}
	s := sim.Signals{Z: []float64{0, 2.5, 2, 0.4, 0, 0}, DeltaZEMA: fill(6, 0), Beta: fill(6, -0.6), ReturnProb: fill(6, 0.8), RiskScore: fill(6, 0.1)}
	res := run(t, m, s, pairLegs(23), policy())
	if len(res.Trades) != 1 {
		t.Fatalf("%d trades: %+v", len(res.Trades), res.Trades)
	}
	tr := res.Trades[0]
	net := 5000 - 4687.5 - 287.5 - 172.5 - 276 - 172.5
	for name, c := range map[string][2]float64{
		"lots A": {tr.LotsA, -1}, "lots B": {tr.LotsB, -0.75}, "gross": {tr.Gross, 5000 - 4687.5}, "costs": {tr.Costs, 287.5 + 172.5 + 276 + 172.5},
		"net": {tr.Net, net}, "return": {tr.Return, net / 100000}, "entry bar": {float64(tr.EntryBar), 2}, "exit bar": {float64(tr.ExitBar), 4},
		"bars held": {float64(tr.BarsHeld), 2}, "side": {float64(tr.Side), -1},
		"equity before": {res.Equity[1], 100000},
		// At the close of bar 3: A at 1.22 won 3000; B at 158: 75000 x (1 - 150/158) lost; entry costs paid.
		"equity while open": {res.Equity[3], 100000 - 460 + 3000 - 75000*(1-150.0/158)},
		"equity after":      {res.Equity[5], 100000 + net},
	} {
		if math.Abs(c[0]-c[1]) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, c[0], c[1])
		}
	}
	if tr.Reason != "target" {
		t.Errorf("reason %q", tr.Reason)
	}
}

func TestExits(t *testing.T) {
	m := sim.Market{Time: bars(80), OpenA: fill(80, 1), CloseA: fill(80, 1)}
	legs := pairLegs(0)[:1]
	base := func() sim.Signals {
		return sim.Signals{Z: fill(80, -2.5), DeltaZEMA: fill(80, 0), ReturnProb: fill(80, 0.8), RiskScore: fill(80, 0.1)}
	}
	for name, c := range map[string]struct {
		change       func(*sim.Signals)
		reason       string
		fill, exited int
	}{
		"max_bars":          {func(*sim.Signals) {}, "max_bars", 1, 49},
		"stop":              {func(s *sim.Signals) { s.ReturnProb[10] = 0.44 }, "stop", 1, 11},
		"no stop at theta":  {func(s *sim.Signals) { s.ReturnProb[10] = 0.45 }, "max_bars", 1, 49},
		"target":            {func(s *sim.Signals) { s.Z[5] = -0.5 }, "target", 1, 6},
		"target passed":     {func(s *sim.Signals) { s.Z[5] = 1.7 }, "target", 1, 6},
		"missing score":     {func(s *sim.Signals) { s.ReturnProb[5], s.RiskScore[5] = math.NaN(), math.NaN() }, "max_bars", 1, 49},
		"risk does not end": {func(s *sim.Signals) { s.RiskScore[5] = 1 }, "max_bars", 1, 49},
		"last bar":          {func(s *sim.Signals) { copy(s.Z, fill(70, 0)) }, "end", 71, 79},
	} {
		s := base()
		c.change(&s)
		tr := run(t, m, s, legs, policy()).Trades[0]
		if tr.Reason != c.reason || tr.EntryBar != c.fill || tr.ExitBar != c.exited {
			t.Errorf("%s: %q from bar %d to %d, want %q from %d to %d", name, tr.Reason, tr.EntryBar, tr.ExitBar, c.reason, c.fill, c.exited)
		}
	}
}

func TestEntriesThatAreRefused(t *testing.T) {
	m := sim.Market{Time: bars(5), OpenA: fill(5, 1), CloseA: fill(5, 1), OpenB: fill(5, 150), CloseB: fill(5, 150)}
	for name, change := range map[string]func(*sim.Signals, *sim.Policy){
		"return_prob at theta1": func(s *sim.Signals, _ *sim.Policy) { s.ReturnProb = fill(5, 0.7) },
		"risk_score at theta2":  func(s *sim.Signals, _ *sim.Policy) { s.RiskScore = fill(5, 0.3) },
		"z too close":           func(s *sim.Signals, _ *sim.Policy) { s.Z = fill(5, 1.99) },
		"z still moving":        func(s *sim.Signals, _ *sim.Policy) { s.DeltaZEMA = fill(5, -0.13) },
		"no score":              func(s *sim.Signals, _ *sim.Policy) { s.ReturnProb = fill(5, math.NaN()) },
		"no risk score":         func(s *sim.Signals, _ *sim.Policy) { s.RiskScore = fill(5, math.NaN()) },
		"no beta":               func(s *sim.Signals, _ *sim.Policy) { s.Beta = fill(5, math.NaN()) },
		"too small":             func(_ *sim.Signals, p *sim.Policy) { p.Capital = 500 },
	} {
		s := sim.Signals{Z: fill(5, 2), DeltaZEMA: fill(5, 0.12), Beta: fill(5, 1), ReturnProb: fill(5, 0.71), RiskScore: fill(5, 0.29)}
		p := policy()
		if n := len(run(t, m, s, pairLegs(1), p).Trades); n != 1 {
			t.Fatalf("without a change there are %d trades", n)
		}
		change(&s, &p)
		if n := len(run(t, m, s, pairLegs(1), p).Trades); n != 0 {
			t.Errorf("%s: %d trades", name, n)
		}
	}
}

// TestNoLookAhead replaces everything after many a bar: equity up to it, and trades that ended by then, stay.
func TestNoLookAhead(t *testing.T) {
	const n = 900
	m, s := made(1, n)
	otherM, otherS := made(2, n)
	whole := run(t, m, s, pairLegs(23), policy())
	r := rand.New(rand.NewPCG(5, 5))
	kept := 0
	for range 50 {
		at := 50 + r.IntN(n-100)
		join := func(a, b []float64) []float64 { return append(append([]float64(nil), a[:at+1]...), b[at+1:]...) }
		m2 := sim.Market{Time: m.Time, OpenA: join(m.OpenA, otherM.OpenA), CloseA: join(m.CloseA, otherM.CloseA),
			OpenB: join(m.OpenB, otherM.OpenB), CloseB: join(m.CloseB, otherM.CloseB)}
		s2 := sim.Signals{Z: join(s.Z, otherS.Z), DeltaZEMA: join(s.DeltaZEMA, otherS.DeltaZEMA), Beta: join(s.Beta, otherS.Beta),
			ReturnProb: join(s.ReturnProb, otherS.ReturnProb), RiskScore: join(s.RiskScore, otherS.RiskScore)}
		got := run(t, m2, s2, pairLegs(23), policy())
		for i := 0; i <= at; i++ {
			if got.Equity[i] != whole.Equity[i] {
				t.Fatalf("equity at bar %d changed with the bars after %d", i, at)
			}
		}
		for i, tr := range whole.Trades {
			if tr.ExitBar > at {
				break
			}
			if got.Trades[i] != tr {
				t.Fatalf("trade %d, over at bar %d, changed with the bars after %d", i, tr.ExitBar, at)
			}
			kept++
		}
	}
	if kept < 100 {
		t.Errorf("only %d trades were compared", kept)
	}
}

func TestNoTradesAreWellDefined(t *testing.T) {
	m, s := made(1, 400)
	p := policy()
	p.Theta1 = 1
	res := run(t, m, s, pairLegs(23), p)
	sum, days, err := sim.Summarize(m, s, p, res)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Trades != 0 || sum.Sharpe != nil || sum.WinRate != nil || sum.Expectancy != nil || *sum.AnnualReturn != 0 || *sum.MaxDrawdown != 0 || *sum.TradesPerYear != 0 {
		t.Errorf("summary: %+v", sum)
	}
	for _, name := range []string{"sharpe", "win_rate", "expectancy"} {
		if sum.Missing[name] != "there were no trades" {
			t.Errorf("%s: reason %q", name, sum.Missing[name])
		}
	}
	if b, err := json.Marshal(sum); err != nil || !strings.Contains(string(b), `"sharpe":null`) {
		t.Errorf("%s, %v", b, err)
	}
	if err := xml.Unmarshal(sim.Chart("nothing <happened> & \"so\"", p.Capital, days), new(any)); err != nil {
		t.Errorf("chart of no trades: %v", err)
	}
}

func TestLostWholly(t *testing.T) {
	m := sim.Market{Time: bars(200), OpenA: fill(200, 1), CloseA: fill(200, 1)}
	for i := 3; i < 200; i++ {
		m.OpenA[i], m.CloseA[i] = 0.3, 0.3 // bought with leverage 2: more than everything is gone
	}
	s := sim.Signals{Z: fill(200, -3), DeltaZEMA: fill(200, 0), ReturnProb: fill(200, 0.8), RiskScore: fill(200, 0.1)}
	p := policy()
	res := run(t, m, s, pairLegs(0)[:1], p)
	sum, _, err := sim.Summarize(m, s, p, res)
	if err != nil || len(res.Trades) != 1 || *sum.AnnualReturn != -1 || *sum.MaxDrawdown <= 1 {
		t.Errorf("%d trades, %+v, %v", len(res.Trades), sum, err)
	}
	if _, err := json.Marshal(sum); err != nil {
		t.Error(err)
	}
}

func TestChartIsDeterministicXML(t *testing.T) {
	m, s := made(1, 900)
	res := run(t, m, s, pairLegs(2), policy())
	_, days, err := sim.Summarize(m, s, policy(), res)
	if err != nil {
		t.Fatal(err)
	}
	a, b := sim.Chart("EURUSD / USDJPY", 100000, days), sim.Chart("EURUSD / USDJPY", 100000, days)
	if string(a) != string(b) || strings.Contains(string(a), "NaN") {
		t.Error("the chart differs between two drawings or holds NaN")
	}
	if err := xml.Unmarshal(a, new(any)); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	m, s := made(1, 100)
	for name, try := range map[string]func() error{
		"one leg of two": func() error { _, err := sim.Run(m, s, pairLegs(1)[:1], policy()); return err },
		"no bars":        func() error { _, err := sim.Run(sim.Market{}, sim.Signals{}, pairLegs(1)[:1], policy()); return err },
		"short column":   func() error { c := s; c.Z = c.Z[:99]; _, err := sim.Run(m, c, pairLegs(1), policy()); return err },
		"no capital":     func() error { p := policy(); p.Capital = 0; _, err := sim.Run(m, s, pairLegs(1), p); return err },
		"no lot step":    func() error { l := pairLegs(1); l[1].LotStep = 0; _, err := sim.Run(m, s, l, policy()); return err },
	} {
		if try() == nil {
			t.Errorf("%s was simulated", name)
		}
	}
}
