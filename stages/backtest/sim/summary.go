package sim

import (
	"math"
	"time"
	_ "time/tzdata" // New York decides where a trading day ends; results must not hang on a machine's zone files
)

// daysPerYear annualises daily figures.
const daysPerYear = 252

// Day is the end of one trading day, which in FX is 17:00 in New York.
type Day struct {
	Date     string // YYYY-MM-DD, of the day that ends
	Equity   float64
	Return   float64
	Drawdown float64 // of the day-end equity, from its highest so far
}

// Summary measures a simulation. A figure that is not defined is nil and has its reason in Missing.
type Summary struct {
	From          string            `json:"from"`
	To            string            `json:"to"`
	Bars          int               `json:"bars"`
	Days          int               `json:"days"`
	AnnualReturn  *float64          `json:"annual_return"` // compounded, 252 days a year
	Sharpe        *float64          `json:"sharpe"`        // of daily returns, times sqrt(252), no risk-free rate
	MaxDrawdown   *float64          `json:"max_drawdown"`  // of the equity at every bar's close, from its highest so far
	TradesPerYear *float64          `json:"trades_per_year"`
	Trades        int               `json:"trades"`
	WinRate       *float64          `json:"win_rate"`   // trades with a net profit
	Expectancy    *float64          `json:"expectancy"` // mean net return of a trade on the equity before it
	HaltRate      *float64          `json:"halt_rate"`  // share of the scored bars with risk_score >= theta2
	Exposure      *float64          `json:"exposure"`   // share of bars with an open position
	SkippedSmall  int               `json:"skipped_below_min_lot"`
	FinalEquity   float64           `json:"final_equity"`
	TotalCosts    float64           `json:"total_costs"`
	Missing       map[string]string `json:"missing,omitempty"`
}

// Summarize measures a result.
func Summarize(m Market, s Signals, p Policy, r *Result) (Summary, []Day, error) {
	days, err := daily(m.Time, r.Equity, p.Capital)
	if err != nil {
		return Summary{}, nil, err
	}
	n := len(m.Time)
	out := Summary{From: stamp(m.Time[0]), To: stamp(m.Time[n-1]), Bars: n, Days: len(days), Trades: len(r.Trades), SkippedSmall: r.Skipped,
		FinalEquity: r.Equity[n-1], Missing: map[string]string{}}
	years := float64(len(days)) / daysPerYear
	out.AnnualReturn = ptr(annual(out.FinalEquity/p.Capital, years))
	out.MaxDrawdown = ptr(maxDrawdown(p.Capital, r.Equity))
	out.TradesPerYear = ptr(float64(len(r.Trades)) / years)
	out.Exposure = ptr(float64(r.InMarket) / float64(n))
	out.sharpe(days)
	out.trades(r.Trades)
	out.halts(s.RiskScore, p.Theta2)
	return out, days, nil
}

func ptr(v float64) *float64 { return &v }

func stamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }

// annual is the yearly growth that makes factor in the given years; what was lost wholly stays lost.
func annual(factor, years float64) float64 {
	if factor <= 0 {
		return -1
	}
	return math.Pow(factor, 1/years) - 1
}

func (s *Summary) sharpe(days []Day) {
	mean, n := 0.0, float64(len(days))
	for _, d := range days {
		mean += d.Return / n
	}
	square, moved := 0.0, false
	for _, d := range days {
		square += (d.Return - mean) * (d.Return - mean)
		moved = moved || d.Return != days[0].Return
	}
	switch {
	case len(s.missingTrades()) > 0:
		s.Missing["sharpe"] = s.missingTrades()
	case len(days) < 2:
		s.Missing["sharpe"] = "there are fewer than two trading days"
	case !moved:
		s.Missing["sharpe"] = "the daily returns do not vary"
	default:
		s.Sharpe = ptr(mean / math.Sqrt(square/(n-1)) * math.Sqrt(daysPerYear))
	}
}

func (s *Summary) missingTrades() string {
	if s.Trades == 0 {
		return "there were no trades"
	}
	return ""
}

func (s *Summary) trades(trades []Trade) {
	if len(trades) == 0 {
		s.Missing["win_rate"], s.Missing["expectancy"] = s.missingTrades(), s.missingTrades()
		return
	}
	won, sum := 0, 0.0
	for _, t := range trades {
		if t.Net > 0 {
			won++
		}
		sum += t.Return
		s.TotalCosts += t.Costs
	}
	s.WinRate, s.Expectancy = ptr(float64(won)/float64(len(trades))), ptr(sum/float64(len(trades)))
}

func (s *Summary) halts(risk []float64, theta2 float64) {
	scored, halted := 0, 0
	for _, v := range risk {
		if math.IsNaN(v) {
			continue
		}
		scored++
		if v >= theta2 {
			halted++
		}
	}
	if scored == 0 {
		s.Missing["halt_rate"] = "no bar has a risk_score"
		return
	}
	s.HaltRate = ptr(float64(halted) / float64(scored))
}

func maxDrawdown(high float64, equity []float64) float64 {
	worst := 0.0
	for _, v := range equity {
		high = math.Max(high, v)
		worst = math.Max(worst, 1-v/high)
	}
	return worst
}

// daily takes the equity at the last close of each trading day.
func daily(at []int64, equity []float64, capital float64) ([]Day, error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, err
	}
	var days []Day
	for i, t := range at {
		date := time.Unix(t, 0).In(zone).Add(7 * time.Hour).Format(time.DateOnly)
		if n := len(days); n == 0 || days[n-1].Date != date {
			days = append(days, Day{Date: date})
		}
		days[len(days)-1].Equity = equity[i]
	}
	before, high := capital, capital
	for i := range days {
		d := &days[i]
		if before > 0 {
			d.Return = d.Equity/before - 1
		}
		high = math.Max(high, d.Equity)
		d.Drawdown = 1 - d.Equity/high
		before = d.Equity
	}
	return days, nil
}
