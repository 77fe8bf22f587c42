package backtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"pipe/engine/stage"
	"pipe/stages/backtest/sim"
	"pipe/stages/features"
	"pipe/stages/features/frame"
	"pipe/stages/internal/duck"
	"pipe/stages/train"
)

// Names of the artifact's files.
const (
	SummaryFile = "bt_summary.json"
	TradesFile  = "bt_trades.parquet"
	EquityFile  = "bt_daily_equity.parquet"
	StressFile  = "bt_stress.json"
	ChartFile   = "equity.svg"
)

// lot is the usual contract of FX: units of the base currency.
const lot = 100_000

type runner struct {
	c    config
	legs []sim.Leg
}

func newRunner(c config) (stage.Runner, error) {
	r := &runner{c: c}
	for i, l := range []*leg{&c.LegA, c.LegB} {
		if l == nil {
			continue
		}
		name := []string{"leg_a", "leg_b"}[i]
		built, err := r.leg(*l)
		if err != nil {
			return nil, stage.Attrf(name, "%w", err)
		}
		r.legs = append(r.legs, built)
	}
	switch {
	case !(c.Capital > 0):
		return nil, stage.Attrf("capital", "%v is no capital to trade with: it must be positive", c.Capital)
	case !(c.Leverage > 0):
		return nil, stage.Attrf("leverage", "%v trades nothing: it must be positive", c.Leverage)
	case !(c.Exit.ZExit >= 0):
		return nil, exitError("z_exit", "%v is not a distance: it must be zero or more", c.Exit.ZExit)
	case !(c.Exit.ThetaStop >= 0 && c.Exit.ThetaStop <= 1):
		return nil, exitError("theta_stop", "%v is compared with a probability: it must lie from 0 to 1", c.Exit.ThetaStop)
	case c.Exit.MaxBars < 1:
		return nil, exitError("max_bars", "a position must be held for at least 1 bar, not %d", c.Exit.MaxBars)
	}
	if c.Stress != nil {
		if err := c.Stress.Check(); err != nil {
			return nil, stage.Attrf("stress", "%w", err)
		}
	}
	return r, nil
}

func exitError(name, format string, args ...any) error {
	return &stage.AttrError{Path: cty.GetAttrPath("exit").GetAttr(name), Err: fmt.Errorf(format, args...)}
}

func (r *runner) leg(l leg) (sim.Leg, error) {
	s := strings.ToUpper(l.Symbol)
	if len(s) != 6 {
		return sim.Leg{}, fmt.Errorf("%q is no pair of currencies such as EURUSD", l.Symbol)
	}
	if !(l.LotStep > 0) || !(l.MinLot > 0) {
		return sim.Leg{}, fmt.Errorf("min_lot and lot_step of %s must be positive", s)
	}
	cost := r.costs(s)
	if cost.Commission < 0 || cost.Slippage < 0 || cost.Spread < 0 {
		return sim.Leg{}, fmt.Errorf("the costs of %s must not be negative", s)
	}
	out := sim.Leg{Symbol: s, MinLot: l.MinLot, LotStep: l.LotStep, LotValue: lot, CostBps: cost.total()}
	switch r.c.Account {
	case s[:3]:
	case s[3:]:
		out.PerPrice = true
	default:
		return sim.Leg{}, fmt.Errorf("%s has no %s in it, so its profit can't be counted in the account's currency without a third rate: set account_currency to %s or %s",
			s, r.c.Account, s[:3], s[3:])
	}
	return out, nil
}

func (r *runner) costs(symbol string) costs {
	if c, ok := r.c.Overrides[symbol]; ok {
		return c
	}
	return r.c.Costs
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	setup, err := r.setup(ctx, db, in)
	if err != nil {
		return err
	}
	res, err := sim.Run(setup.Market, setup.Signals, setup.Legs, setup.Policy)
	if err != nil {
		return err
	}
	summary, days, err := sim.Summarize(setup.Market, setup.Signals, setup.Policy, res)
	if err != nil {
		return err
	}
	stress := []sim.Outcome{}
	if r.c.Stress != nil {
		if stress, err = r.c.Stress.Test(setup); err != nil {
			return err
		}
	}
	title := r.legs[0].Symbol
	if len(r.legs) > 1 {
		title += " / " + r.legs[1].Symbol
	}
	if err := errors.Join(writeJSON(out.Path(SummaryFile), summary), writeJSON(out.Path(StressFile), stress),
		os.WriteFile(out.Path(ChartFile), sim.Chart(title, r.c.Capital, days), 0o600)); err != nil {
		return err
	}
	if err := r.tables(ctx, db, setup.Market, res, days, out); err != nil {
		return err
	}
	return metrics(summary, out)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

// setup reads the bars from the first prediction on, and the predictions.
func (r *runner) setup(ctx context.Context, db *duck.DB, in stage.Inputs) (sim.Setup, error) {
	var s sim.Setup
	feats, err := in.Get("features")
	if err != nil {
		return s, err
	}
	model, err := in.Get("model")
	if err != nil {
		return s, err
	}
	p, err := readParams(model)
	if err != nil {
		return s, err
	}
	if err := errors.Join(r.sameSymbols(feats), sameData(feats, model)); err != nil {
		return s, err
	}
	if r.c.Exit.ZExit >= p.ZEntry {
		return s, fmt.Errorf("exit.z_exit is %v and the model's entries begin at |z| >= %v: a position would be closed as it is opened", r.c.Exit.ZExit, p.ZEntry)
	}
	bars, err := train.ReadFrame(ctx, db, feats.Table())
	if err != nil {
		return s, err
	}
	scores, err := train.ReadFrame(ctx, db, model.Path(train.PredictionsFile))
	if err != nil {
		return s, err
	}
	if scores.Len() == 0 {
		return s, errors.New("the model has no out-of-fold predictions to trade on")
	}
	if err := r.market(bars, scores, &s); err != nil {
		return s, err
	}
	s.Legs = r.legs
	for _, l := range r.legs {
		c := r.costs(l.Symbol)
		s.Volatile = append(s.Volatile, c.Slippage+c.Spread)
	}
	s.Policy = sim.Policy{Theta1: p.Theta1, Theta2: p.Theta2, ThetaStop: r.c.Exit.ThetaStop, ZEntry: p.ZEntry, ZExit: r.c.Exit.ZExit,
		DeltaZEMA: p.DeltaZEMA, MaxBars: r.c.Exit.MaxBars, Capital: r.c.Capital, Leverage: r.c.Leverage}
	return s, nil
}

func readParams(model stage.Input) (train.Params, error) {
	var p train.Params
	raw, err := os.ReadFile(model.Path(train.ParamsFile))
	if err != nil {
		return p, fmt.Errorf("model is not the artifact of a train stage: it has no %s", train.ParamsFile)
	}
	if err := yaml.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("%s: %w", train.ParamsFile, err)
	}
	return p, nil
}

// sameSymbols refuses legs that are not those of the features.
func (r *runner) sameSymbols(feats stage.Input) error {
	raw, err := os.ReadFile(feats.Path(features.SchemaFile))
	if err != nil {
		return fmt.Errorf("features is not the artifact of a features stage: it has no %s", features.SchemaFile)
	}
	schema, err := features.ReadSchema(raw)
	if err != nil {
		return err
	}
	if len(schema.Symbols) != len(r.legs) {
		return fmt.Errorf("the features are of %d legs and the backtest has %d", len(schema.Symbols), len(r.legs))
	}
	for i, s := range schema.Symbols {
		if s != "" && !strings.EqualFold(s, r.legs[i].Symbol) {
			return fmt.Errorf("the features are of %s and leg_%c is %s", strings.Join(schema.Symbols, " and "), "ab"[i], r.legs[i].Symbol)
		}
	}
	return nil
}

// sameData refuses predictions that were made from other features: z and beta would not be those that the model saw.
func sameData(feats, model stage.Input) error {
	made, trained := feats.Artifact.Facts["feature_hash"], model.Artifact.Facts["data_hash"]
	if made != trained {
		return fmt.Errorf("the model was trained on other features (%.12s) than these (%.12s): give the features stage that the train stage reads", trained, made)
	}
	return nil
}

// market joins bars and scores on their times. Bars before the first score are left out: nothing can be traded there.
func (r *runner) market(bars, scores *frame.Frame, s *sim.Setup) error {
	start := 0
	for start < bars.Len() && bars.Time[start] < scores.Time[0] {
		start++
	}
	need := func(f *frame.Frame, name string, from int, into *[]float64) error {
		col, err := f.Need(name)
		if err == nil {
			*into = col[from:]
		}
		return err
	}
	m, sig := &s.Market, &s.Signals
	m.Time = bars.Time[start:]
	err := errors.Join(need(bars, "open_a", start, &m.OpenA), need(bars, "close_a", start, &m.CloseA),
		need(bars, "z", start, &sig.Z), need(bars, "delta_z_ema", start, &sig.DeltaZEMA))
	if len(r.legs) > 1 {
		err = errors.Join(err, need(bars, "open_b", start, &m.OpenB), need(bars, "close_b", start, &m.CloseB), need(bars, "beta", start, &sig.Beta))
	}
	var prob, risk []float64
	err = errors.Join(err, need(scores, train.ReturnProb, 0, &prob), need(scores, train.RiskScore, 0, &risk))
	if err != nil {
		return err
	}
	sig.ReturnProb, sig.RiskScore = spread(m.Time, scores.Time, prob), spread(m.Time, scores.Time, risk)
	return nil
}

// spread puts values of some times onto a time axis; the rest is missing.
func spread(axis, times []int64, values []float64) []float64 {
	out := make([]float64, len(axis))
	j := 0
	for i, t := range axis {
		for j < len(times) && times[j] < t {
			j++
		}
		out[i] = math.NaN()
		if j < len(times) && times[j] == t {
			out[i] = values[j]
		}
	}
	return out
}

// tables writes the trades and the daily equity.
func (r *runner) tables(ctx context.Context, db *duck.DB, m sim.Market, res *sim.Result, days []sim.Day, out *stage.Output) error {
	n := len(res.Trades)
	entry, exitAt := make(duck.Seconds, n), make(duck.Seconds, n)
	side, held, reason := make([]int64, n), make([]int64, n), make([]string, n)
	names := []string{"beta", "lots_a", "lots_b", "entry_a", "entry_b", "exit_a", "exit_b", "z_signal", "return_prob", "risk_score", "gross", "costs", "net", "return"}
	cols := make([][]float64, len(names))
	for i := range cols {
		cols[i] = make([]float64, n)
	}
	for i, t := range res.Trades {
		entry[i], exitAt[i] = m.Time[t.EntryBar], m.Time[t.ExitBar]
		side[i], held[i], reason[i] = int64(t.Side), int64(t.BarsHeld), t.Reason
		for k, v := range []float64{t.Beta, t.LotsA, t.LotsB, t.EntryA, t.EntryB, t.ExitA, t.ExitB, t.ZSignal, t.ReturnProb, t.RiskScore, t.Gross, t.Costs, t.Net, t.Return} {
			cols[k][i] = v
		}
	}
	series := []duck.Series{{Name: "entry_time", Values: entry}, {Name: "exit_time", Values: exitAt}, {Name: "side", Values: side},
		{Name: "bars_held", Values: held}, {Name: "exit_reason", Values: reason}}
	for k, name := range names {
		series = append(series, duck.Series{Name: name, Values: cols[k]})
	}
	rows, err := db.WriteColumns(ctx, out.Path(TradesFile), series...)
	if err != nil {
		return err
	}
	out.Table(TradesFile, rows)
	return writeDays(ctx, db, days, out)
}

func writeDays(ctx context.Context, db *duck.DB, days []sim.Day, out *stage.Output) error {
	at := make(duck.Seconds, len(days))
	equity, ret, drawdown := make([]float64, len(days)), make([]float64, len(days)), make([]float64, len(days))
	for i, d := range days {
		t, err := time.Parse("2006-01-02", d.Date)
		if err != nil {
			return err
		}
		at[i], equity[i], ret[i], drawdown[i] = t.Unix(), d.Equity, d.Return, d.Drawdown
	}
	_, err := db.WriteColumns(ctx, out.Path(EquityFile), duck.Series{Name: "day", Values: at}, duck.Series{Name: "equity", Values: equity},
		duck.Series{Name: "return", Values: ret}, duck.Series{Name: "drawdown", Values: drawdown})
	return err
}

// metrics reports what is defined.
func metrics(s sim.Summary, out *stage.Output) error {
	err := out.Metric("trades", float64(s.Trades))
	for _, m := range []struct {
		name  string
		value *float64
	}{{"annual_return", s.AnnualReturn}, {"sharpe", s.Sharpe}, {"max_drawdown", s.MaxDrawdown}, {"trades_per_year", s.TradesPerYear},
		{"win_rate", s.WinRate}, {"expectancy", s.Expectancy}, {"halt_rate", s.HaltRate}} {
		if m.value != nil {
			err = errors.Join(err, out.Metric(m.name, *m.value))
		}
	}
	return err
}
