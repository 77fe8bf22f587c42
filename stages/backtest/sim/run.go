package sim

import (
	"math"
)

// closing is the time between two bars, in seconds, from which on the market counts as closed between them.
const closing = 24 * 3600

// Trade is one position from fill to fill. Bars are indices into Market.Time.
type Trade struct {
	EntryBar, ExitBar     int // of the fills
	Side                  int // 1 bought the spread, -1 sold it
	Beta                  float64
	LotsA, LotsB          float64 // signed; B is zero with one leg
	EntryA, EntryB        float64 // prices
	ExitA, ExitB          float64
	NotionalA, NotionalB  float64 // signed, in the account's currency, at entry
	ZSignal               float64
	ReturnProb, RiskScore float64 // at the signal
	Gross, Costs, GapLoss float64
	Net                   float64 // gross - costs - gap loss
	Return                float64 // net over the equity before entry
	BarsHeld              int
	Reason                string
}

// Result of a simulation.
type Result struct {
	Trades   []Trade
	Equity   []float64 // at the close of each bar
	InMarket int       // bars at whose close a position was open
	Skipped  int       // entries left out because a leg would have been below its smallest lot
}

type machine struct {
	m     Market
	s     Signals
	legs  []Leg
	p     Policy
	cash  float64 // equity without what is open
	open  *Trade
	paid  float64 // the equity before the open trade's entry
	order *order
	res   Result
}

// order waits for its bar.
type order struct {
	fill   int // bar at whose open it is filled
	exit   string
	signal int
}

// Run simulates.
func Run(m Market, s Signals, legs []Leg, p Policy) (*Result, error) {
	if err := check(m, s, legs, p); err != nil {
		return nil, err
	}
	w := &machine{m: m, s: s, legs: legs, p: p, cash: p.Capital}
	w.res.Equity = make([]float64, len(m.Time))
	last := len(m.Time) - 1
	for t := range m.Time {
		w.gap(t)
		if w.order != nil && w.order.fill == t {
			w.fill(t)
		}
		if t == last && w.open != nil {
			w.exit(t, w.m.CloseA[t], w.priceB(w.m.CloseB, t), "end")
			w.open.BarsHeld = t - w.open.EntryBar + 1
			w.closeTrade()
		}
		w.res.Equity[t] = w.cash
		if w.open != nil {
			w.res.Equity[t] += w.profit(w.open, w.m.CloseA[t], w.priceB(w.m.CloseB, t))
			w.res.InMarket++
		}
		if w.order == nil {
			w.decide(t)
		}
	}
	return &w.res, nil
}

func (w *machine) priceB(prices []float64, t int) float64 {
	if w.m.Single() {
		return 1
	}
	return prices[t]
}

// decide reads the signals at the close of t.
func (w *machine) decide(t int) {
	fill := t + 1 + w.p.Latency
	if fill >= len(w.m.Time) {
		return
	}
	if w.open == nil {
		if w.enters(t) {
			w.order = &order{fill: fill, signal: t}
		}
		return
	}
	if reason := w.leaves(t); reason != "" {
		w.order = &order{fill: fill, exit: reason, signal: t}
	}
}

// enters: every comparison with a missing value is false.
func (w *machine) enters(t int) bool {
	known := w.m.Single() || !math.IsNaN(w.s.Beta[t])
	return known && w.cash > 0 && math.Abs(w.s.Z[t]) >= w.p.ZEntry && math.Abs(w.s.DeltaZEMA[t]) <= w.p.DeltaZEMA &&
		w.s.ReturnProb[t] > w.p.Theta1 && w.s.RiskScore[t] < w.p.Theta2
}

func (w *machine) leaves(t int) string {
	switch {
	case -float64(w.open.Side)*w.s.Z[t] <= w.p.ZExit:
		return "target"
	case w.s.ReturnProb[t] < w.p.ThetaStop:
		return "stop"
	case t-w.open.EntryBar+1 >= w.p.MaxBars:
		return "max_bars"
	}
	return ""
}

func (w *machine) fill(t int) {
	o := w.order
	w.order = nil
	if o.exit == "" {
		w.enter(t, o.signal)
		return
	}
	w.exit(t, w.m.OpenA[t], w.priceB(w.m.OpenB, t), o.exit)
	w.open.BarsHeld = t - w.open.EntryBar
	w.closeTrade()
}

func (w *machine) enter(t, signal int) {
	side, beta := 1, 0.0
	if w.s.Z[signal] > 0 {
		side = -1
	}
	if !w.m.Single() {
		beta = w.s.Beta[signal]
	}
	tr := &Trade{EntryBar: t, Side: side, Beta: beta, EntryA: w.m.OpenA[t], EntryB: w.priceB(w.m.OpenB, t), ZSignal: w.s.Z[signal],
		ReturnProb: w.s.ReturnProb[signal], RiskScore: w.s.RiskScore[signal]}
	a := w.legs[0]
	valueA := a.value(tr.EntryA)
	lotsA := math.Floor(w.cash*w.p.Leverage/(1+math.Abs(beta))/valueA/a.LotStep+1e-9) * a.LotStep
	tr.LotsA = float64(side) * lotsA
	tr.NotionalA = tr.LotsA * valueA
	small := lotsA < a.MinLot-1e-9
	if !w.m.Single() {
		b := w.legs[1]
		valueB := b.value(tr.EntryB)
		lotsB := math.Round(-beta*tr.NotionalA/valueB/b.LotStep) * b.LotStep
		tr.LotsB, tr.NotionalB = lotsB, lotsB*valueB
		small = small || math.Abs(lotsB) < b.MinLot-1e-9
	}
	if small {
		w.res.Skipped++
		return
	}
	w.paid = w.cash
	w.pay(tr, tr.EntryA, tr.EntryB)
	w.open = tr
}

// pay takes the costs of a fill at the given prices.
func (w *machine) pay(tr *Trade, priceA, priceB float64) {
	cost := math.Abs(tr.LotsA) * w.legs[0].value(priceA) * w.legs[0].CostBps / 1e4
	if !w.m.Single() {
		cost += math.Abs(tr.LotsB) * w.legs[1].value(priceB) * w.legs[1].CostBps / 1e4
	}
	tr.Costs += cost
	w.cash -= cost
}

func (w *machine) profit(t *Trade, priceA, priceB float64) float64 {
	sum := t.NotionalA * w.legs[0].gain(t.EntryA, priceA)
	if !w.m.Single() {
		sum += t.NotionalB * w.legs[1].gain(t.EntryB, priceB)
	}
	return sum
}

// gap applies the stress of a gap over a closing of the market.
func (w *machine) gap(t int) {
	if w.p.GapPercent == 0 || w.open == nil || w.m.Time[t]-w.m.Time[t-1] < closing {
		return
	}
	loss := math.Abs(w.open.NotionalA) * w.p.GapPercent / 100
	w.open.GapLoss += loss
	w.cash -= loss
}

func (w *machine) exit(t int, priceA, priceB float64, reason string) {
	tr := w.open
	tr.ExitBar, tr.ExitA, tr.ExitB, tr.Reason = t, priceA, priceB, reason
	tr.Gross = w.profit(tr, priceA, priceB)
	w.pay(tr, priceA, priceB)
	w.cash += tr.Gross
	tr.Net = tr.Gross - tr.Costs - tr.GapLoss
	tr.Return = tr.Net / w.paid
}

func (w *machine) closeTrade() {
	w.res.Trades = append(w.res.Trades, *w.open)
	w.open, w.order = nil, nil
}
