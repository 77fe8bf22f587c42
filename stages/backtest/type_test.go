package backtest_test

import (
	"encoding/json"
	"encoding/xml"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
	"pipe/stages/backtest"
	"pipe/stages/backtest/sim"
	"pipe/stages/features"
	"pipe/stages/features/oracletest"
	"pipe/stages/internal/duck"
	"pipe/stages/train"
)

const windows = `
windows {
  beta_window      = 40
  z_window         = 30
  z_ema_span       = 12
  stability_window = 20
  half_life_window = 30
  drawdown_window  = 24
  rho_window       = 25
}
labels {
  z_entry     = 1.2
  delta_z_ema = 0.3
  ai1_horizon = 6
  rho_var     = 0.2
  drawdown    = 0.06
}
`

const training = `
source     = stage.features
cv         = { folds = 3, min_train_size = 96, holdout_size = 24, purge = 24, embargo = 24 }
ai1_params = { learning_rate = 0.1, epochs = 200, l2 = 0.01 }
ai2_params = { learning_rate = 0.1, epochs = 200, l2 = 0.01 }
theta2     = 0.6
`

const config = `
model    = stage.model
features = stage.features
leg_a    = { canonical_symbol = "EURUSD", min_lot = 0.01, lot_step = 0.01 }
leg_b    = { canonical_symbol = "USDJPY", min_lot = 0.01, lot_step = 0.01 }
exit     = { z_exit = 0.5, max_bars = 48, theta_stop = 0.2 }
costs    = { commission_bps = 1, slippage_bps = 2, spread_bps = 3 }
`

const stress = `stress = { vol_spike = [1.5, 2], corr_breakdown = [0, 0.2], cost_increase = [10, 30], latency_bars = [1], gap_percent = [0.5, 1] }
`

// once runs a type and returns what it made.
func once(t *testing.T, typ stage.Type, name, config string, up map[string]stagetest.Upstream) stagetest.Upstream {
	t.Helper()
	var out stagetest.Upstream
	stagetest.Run(t, typ, stagetest.Case{Name: name, Config: config, Upstreams: up,
		Check: func(t *testing.T, r stagetest.Result) { out = r.AsUpstream(t) }})
	if out.Files == nil {
		t.Fatalf("%s made nothing", name)
	}
	return out
}

// trained runs features and train on made bars.
func trained(t *testing.T, theta1 string) map[string]stagetest.Upstream {
	t.Helper()
	a, b := oracletest.MadeCSV(1, 1200)
	bars := func(symbol, csv string) stagetest.Upstream {
		u := stagetest.Table("canonical.csv", csv, 0)
		u.Info = artifact.Info{Main: "canonical.csv", Facts: map[string]string{"symbol": symbol}}
		return u
	}
	f := once(t, features.Type(), "features", "legs = { a = stage.a, b = stage.b }\n"+windows,
		map[string]stagetest.Upstream{"stage.a": bars("EURUSD", a), "stage.b": bars("USDJPY", b)})
	m := once(t, train.Type(), "train", training+"theta1 = "+theta1+"\n", map[string]stagetest.Upstream{"stage.features": f})
	return map[string]stagetest.Upstream{"stage.features": f, "stage.model": m}
}

func column[T any](t *testing.T, path, name string) []T {
	t.Helper()
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out []T
	if err := db.Fetch(t.Context(), []any{&out}, "SELECT "+duck.Ident(name)+" FROM "+duck.Scan(path)); err != nil {
		t.Fatal(err)
	}
	return out
}

func summary(t *testing.T, r stagetest.Result) sim.Summary {
	t.Helper()
	var s sim.Summary
	if err := json.Unmarshal([]byte(r.File(t, backtest.SummaryFile)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// checkTraded compares the tables with the summary, and trades with what the rules allow.
func checkTraded(t *testing.T, r stagetest.Result) {
	t.Helper()
	if got, want := strings.Join(r.Files, " "), "bt_daily_equity.parquet bt_stress.json bt_summary.json bt_trades.parquet equity.svg"; got != want {
		t.Errorf("files %q, want %q", got, want)
	}
	s := summary(t, r)
	if s.Trades < 10 || int64(s.Trades) != r.Rows || r.Metrics["trades"] != float64(s.Trades) || r.Metrics["sharpe"] != *s.Sharpe || r.Metrics["max_drawdown"] != *s.MaxDrawdown {
		t.Errorf("%d rows, summary %+v, metrics %v", r.Rows, s, r.Metrics)
	}
	trades, days := filepath.Join(r.Dir, backtest.TradesFile), filepath.Join(r.Dir, backtest.EquityFile)
	equity := 1e6
	for _, net := range column[float64](t, trades, "net") {
		equity += net
	}
	curve := column[float64](t, days, "equity")
	if last := curve[len(curve)-1]; math.Abs(equity-last) > 1e-4 || math.Abs(s.FinalEquity-last) > 1e-4 || len(curve) != s.Days {
		t.Errorf("the trades add up to %v, the last day has %v, the summary %v", equity, last, s.FinalEquity)
	}
	prob, risk, z := column[float64](t, trades, "return_prob"), column[float64](t, trades, "risk_score"), column[float64](t, trades, "z_signal")
	lots, held := column[float64](t, trades, "lots_a"), column[int64](t, trades, "bars_held")
	for i := range prob {
		if !(prob[i] > 0.5 && risk[i] < 0.6 && math.Abs(z[i]) >= 1.2 && lots[i]*z[i] < 0 && held[i] <= 48) {
			t.Errorf("trade %d: return_prob %v, risk_score %v, z %v, lots %v, %d bars", i+1, prob[i], risk[i], z[i], lots[i], held[i])
		}
		if step := lots[i] * 100; math.Abs(step-math.Round(step)) > 1e-6 {
			t.Errorf("trade %d: %v lots are not on the lot step", i+1, lots[i])
		}
	}
	var outcomes []sim.Outcome
	if err := json.Unmarshal([]byte(r.File(t, backtest.StressFile)), &outcomes); err != nil || len(outcomes) != 9 {
		t.Errorf("%d scenarios, %v", len(outcomes), err)
	}
	if err := xml.Unmarshal([]byte(r.File(t, backtest.ChartFile)), new(any)); err != nil {
		t.Errorf("chart: %v", err)
	}
}

// otherHash is the artifact as if it had been made from other bars.
func otherHash(u stagetest.Upstream) stagetest.Upstream {
	facts := map[string]string{}
	for k, v := range u.Facts {
		facts[k] = v
	}
	facts["feature_hash"] = strings.Repeat("0", 64)
	u.Facts = facts
	return u
}

func TestType(t *testing.T) {
	up := trained(t, "0.5")
	with := func(name, old, repl, attr, want string) stagetest.Case {
		return stagetest.Case{Name: name, Config: strings.Replace(config+stress, old, repl, 1), WantAttr: attr, WantErr: want, Upstreams: up}
	}
	stagetest.Run(t, backtest.Type(),
		stagetest.Case{Name: "trades", Config: config + stress, Upstreams: up, Check: checkTraded},
		stagetest.Case{Name: "no stress", Config: config, Upstreams: up, Check: func(t *testing.T, r stagetest.Result) {
			if got := r.File(t, backtest.StressFile); got != "[]\n" {
				t.Errorf("scenarios: %s", got)
			}
		}},
		stagetest.Case{Name: "costs of one symbol", Upstreams: up,
			Config: config + "cost_overrides = { USDJPY = { commission_bps = 500, slippage_bps = 0, spread_bps = 0 } }\n",
			Check: func(t *testing.T, r stagetest.Result) {
				if r.Metrics["annual_return"] >= 0 {
					t.Errorf("at 5%% a fill the annual return is %v", r.Metrics["annual_return"])
				}
			}},
		with("other symbols", `"EURUSD"`, `"GBPUSD"`, "", "the features are of EURUSD and USDJPY"),
		with("a cross", `"USDJPY"`, `"EURJPY"`, "leg_b", "has no USD in it"),
		with("no lot step", "lot_step = 0.01", "lot_step = 0", "leg_a", "positive"),
		with("max_bars", "max_bars = 48", "max_bars = 0", "exit.max_bars", "at least 1"),
		with("z_exit", "z_exit = 0.5", "z_exit = -1", "exit.z_exit", "zero or more"),
		with("z_exit beyond the entry", "z_exit = 0.5", "z_exit = 1.2", "", "as it is opened"),
		with("theta_stop", "theta_stop = 0.2", "theta_stop = 2", "exit.theta_stop", "from 0 to 1"),
		stagetest.Case{Name: "other features", Config: config, WantErr: "trained on other features", Upstreams: map[string]stagetest.Upstream{
			"stage.features": otherHash(up["stage.features"]), "stage.model": up["stage.model"]}},
		with("stress", "gap_percent = [0.5, 1]", "gap_percent = [-1]", "stress", "percentage"),
		with("capital", "exit ", "capital = 0\nexit ", "capital", "positive"),
		with("one leg of two", `leg_b    = { canonical_symbol = "USDJPY", min_lot = 0.01, lot_step = 0.01 }`, "", "", "the features are of 2 legs"),
	)
}

// TestWithoutTrades: what is not defined is absent from the metrics and null in the summary, with its reason.
func TestWithoutTrades(t *testing.T) {
	stagetest.Run(t, backtest.Type(), stagetest.Case{Name: "no trades", Config: config + stress, Upstreams: trained(t, "1"), Check: func(t *testing.T, r stagetest.Result) {
		s := summary(t, r)
		if r.Rows != 0 || s.Trades != 0 || s.Sharpe != nil || s.Missing["sharpe"] == "" {
			t.Errorf("%d rows, %+v", r.Rows, s)
		}
		if v, ok := r.Metrics["sharpe"]; ok {
			t.Errorf("without a trade there is a Sharpe ratio of %v", v)
		}
		if r.Metrics["trades"] != 0 || r.Metrics["max_drawdown"] != 0 {
			t.Errorf("metrics %v", r.Metrics)
		}
	}})
}
