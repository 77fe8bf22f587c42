package backtest

import (
	"context"
	"math"
	"testing"
	"time"

	"pipe/stages/backtest/sim"
	"pipe/stages/features"
	"pipe/stages/features/oracletest"
	"pipe/stages/train"
	"pipe/stages/train/fold"
)

// TestRealBars takes nine years of GBPUSD against AUDUSD through features, training and simulation. It asserts no
// profit (there is no reason to expect one), but that every figure is defined and consistent; and it logs the time of
// each step.
func TestRealBars(t *testing.T) {
	a, b, _, err := features.Align(oracletest.Real(t, "GBPUSD"), oracletest.Real(t, "AUDUSD"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	lap := func(what string) {
		t.Logf("%s: %.2f s", what, time.Since(began).Seconds())
		began = time.Now()
	}
	windows, labels := features.DefaultParams(), features.DefaultLabels()
	set, err := features.Pair(a, b, windows)
	if err != nil {
		t.Fatal(err)
	}
	if err := features.Label(set, labels, windows); err != nil {
		t.Fatal(err)
	}
	lap("features")
	p := train.ModelParams{LearningRate: 0.1, Epochs: 200, L2: 1e-4}
	res, err := train.Fit(context.Background(), set.Frame, features.NewSchema(set, "pair", []string{"GBPUSD", "AUDUSD"}, windows, labels),
		train.Settings{CV: fold.Config{Scheme: fold.WalkForward, Folds: 3, MinTrainSize: 96, HoldoutSize: 24, Purge: 24, Embargo: 24}, AI1: p, AI2: p, Theta1: 0.55, Theta2: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	lap("training")
	res.Report.Each(func(name string, v float64) { t.Logf("%s %.4f", name, v) })
	for _, m := range res.Report.Models {
		if m.Pooled.AUC == nil || m.Pooled.N < 1000 || *m.Pooled.LogLoss > 1 {
			t.Errorf("%s: %+v", m.Model, m.Pooled)
		}
	}
	gbp := leg{Symbol: "GBPUSD", MinLot: 0.01, LotStep: 0.01}
	aud := leg{Symbol: "AUDUSD", MinLot: 0.01, LotStep: 0.01}
	made, err := newRunner(config{LegA: gbp, LegB: &aud, Account: "USD", Capital: 1e6, Leverage: 1, Exit: exit{ZExit: 0.5, MaxBars: 48, ThetaStop: 0.3},
		Costs: costs{Commission: 0.1, Slippage: 0.1, Spread: 0.3}})
	if err != nil {
		t.Fatal(err)
	}
	var setup sim.Setup
	r := made.(*runner)
	if err := r.market(set.Frame, res.Predictions, &setup); err != nil {
		t.Fatal(err)
	}
	policy := sim.Policy{Theta1: 0.55, Theta2: 0.3, ThetaStop: 0.3, ZEntry: 2, ZExit: 0.5, DeltaZEMA: 0.12, MaxBars: 48, Capital: 1e6, Leverage: 1}
	done, err := sim.Run(setup.Market, setup.Signals, r.legs, policy)
	if err != nil {
		t.Fatal(err)
	}
	sum, _, err := sim.Summarize(setup.Market, setup.Signals, policy, done)
	if err != nil {
		t.Fatal(err)
	}
	lap("simulation")
	if sum.Trades < 50 || sum.Sharpe == nil || math.Abs(*sum.Sharpe) > 5 || *sum.MaxDrawdown <= 0 || *sum.MaxDrawdown >= 1 {
		t.Errorf("a Sharpe ratio or drawdown of a kind that real bars don't give: %+v", sum)
		return
	}
	t.Logf("%d trades, Sharpe %.2f, drawdown %.3f, annual return %.4f, halted %.2f", sum.Trades, *sum.Sharpe, *sum.MaxDrawdown, *sum.AnnualReturn, *sum.HaltRate)
}
