package sim

import "fmt"

// Market are the bars of the legs on one time axis. Without a second leg, OpenB and CloseB are nil.
type Market struct {
	Time          []int64 // start of the bar, Unix seconds
	OpenA, CloseA []float64
	OpenB, CloseB []float64
}

// Single reports whether there is only one leg.
func (m Market) Single() bool { return m.OpenB == nil }

// Signals are read at the close of each bar; NaN where there is none.
type Signals struct {
	Z, DeltaZEMA          []float64
	Beta                  []float64 // of B per unit of A; not read with one leg
	ReturnProb, RiskScore []float64
}

// Leg is one instrument.
type Leg struct {
	Symbol  string
	MinLot  float64
	LotStep float64
	// LotValue is what one lot is worth in the account's currency: a fixed amount, or, if PerPrice, that amount times
	// the price (for a symbol that is quoted in the account's currency).
	LotValue float64
	PerPrice bool
	CostBps  float64 // per fill
}

func (l Leg) value(price float64) float64 {
	if l.PerPrice {
		return l.LotValue * price
	}
	return l.LotValue
}

// gain is the profit per unit of notional at entry. Where lots have a fixed value in the account's currency, the profit
// arises in the quote currency and is worth less the higher the price.
func (l Leg) gain(entry, price float64) float64 {
	if l.PerPrice {
		return price/entry - 1
	}
	return 1 - entry/price
}

// Policy says when to trade and how much.
type Policy struct {
	Theta1, Theta2, ThetaStop float64
	ZEntry, ZExit, DeltaZEMA  float64
	MaxBars                   int
	Capital, Leverage         float64
	Latency                   int     // bars beyond the next one
	GapPercent                float64 // what leg A moves against an open position over every closing of the market
}

// check refuses what can't be simulated.
func check(m Market, s Signals, legs []Leg, p Policy) error {
	n, want := len(m.Time), 2
	if m.Single() {
		want = 1
	}
	if n == 0 {
		return fmt.Errorf("simulate: there are no bars")
	}
	if len(legs) != want {
		return fmt.Errorf("simulate: %d legs are described, the bars have %d", len(legs), want)
	}
	for _, c := range [][]float64{m.OpenA, m.CloseA, s.Z, s.DeltaZEMA, s.ReturnProb, s.RiskScore} {
		if len(c) != n {
			return fmt.Errorf("simulate: a column has %d values for %d bars", len(c), n)
		}
	}
	if !m.Single() && (len(m.OpenB) != n || len(m.CloseB) != n || len(s.Beta) != n) {
		return fmt.Errorf("simulate: a column of leg B has not %d values", n)
	}
	for _, l := range legs {
		if !(l.LotStep > 0 && l.MinLot > 0 && l.LotValue > 0 && l.CostBps >= 0) {
			return fmt.Errorf("simulate: leg %s needs a positive lot step, smallest lot and lot value, and costs of zero or more", l.Symbol)
		}
	}
	if !(p.Capital > 0 && p.Leverage > 0) || p.MaxBars < 1 || p.Latency < 0 || !(p.GapPercent >= 0) {
		return fmt.Errorf("simulate: capital, leverage and max_bars must be positive, latency and gaps zero or more")
	}
	return nil
}
