package backtest

import (
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/stages/backtest/sim"
)

type config struct {
	Model     *stage.Handle    `cty:"model"`
	Features  *stage.Handle    `cty:"features"`
	LegA      leg              `cty:"leg_a"`
	LegB      *leg             `cty:"leg_b"`
	Account   string           `cty:"account_currency"`
	Capital   float64          `cty:"capital"`
	Leverage  float64          `cty:"leverage"`
	Exit      exit             `cty:"exit"`
	Costs     costs            `cty:"costs"`
	Overrides map[string]costs `cty:"cost_overrides"`
	Stress    *sim.Stress      `cty:"stress"`
}

type leg struct {
	Symbol  string  `cty:"canonical_symbol"`
	MinLot  float64 `cty:"min_lot"`
	LotStep float64 `cty:"lot_step"`
}

type exit struct {
	ZExit     float64 `cty:"z_exit"`
	MaxBars   int     `cty:"max_bars"`
	ThetaStop float64 `cty:"theta_stop"`
}

type costs struct {
	Commission float64 `cty:"commission_bps"`
	Slippage   float64 `cty:"slippage_bps"`
	Spread     float64 `cty:"spread_bps"`
}

func (c costs) total() float64 { return c.Commission + c.Slippage + c.Spread }

// Type is the backtest stage.
func Type() stage.Type {
	num := func(names ...string) cty.Type {
		types := map[string]cty.Type{}
		for _, n := range names {
			types[n] = cty.Number
		}
		return cty.Object(types)
	}
	oneLeg := cty.Object(map[string]cty.Type{"canonical_symbol": cty.String, "min_lot": cty.Number, "lot_step": cty.Number})
	bps := num("commission_bps", "slippage_bps", "spread_bps")
	list := cty.List(cty.Number)
	return &stage.Def[config]{
		Of: addr.Stage, Label: "backtest", Rev: 1,
		New: newRunner,
		Spec: stage.Schema{
			Doc: doc, Example: example, Table: true,
			Attrs: []stage.Attr{
				{Name: "model", Type: stage.HandleType, Required: true, Doc: "The artifact of a train stage: its out-of-fold predictions and params.yaml."},
				{Name: "features", Type: stage.HandleType, Required: true, Doc: "The artifact of the features stage that the model was trained on: prices, z and beta."},
				{Name: "leg_a", Type: oneLeg, Required: true, Doc: "Leg A: { canonical_symbol, min_lot, lot_step }."},
				{Name: "leg_b", Type: oneLeg, Doc: "Leg B, likewise; absent for a single symbol."},
				{Name: "account_currency", Type: cty.String, Default: cty.StringVal("USD"), Doc: "The currency of the account. It must be the base or quote currency of each leg."},
				{Name: "capital", Type: cty.Number, Default: cty.NumberIntVal(1_000_000), Doc: "The equity at the start, in the account's currency."},
				{Name: "leverage", Type: cty.Number, Default: cty.NumberIntVal(1), Doc: "Gross notional of a position over the equity."},
				{Name: "exit", Type: num("z_exit", "max_bars", "theta_stop"), Required: true, Doc: "{ z_exit, max_bars, theta_stop }: out at |z| <= z_exit, after max_bars bars, or when return_prob falls below theta_stop."},
				{Name: "costs", Type: bps, Required: true, Doc: "{ commission_bps, slippage_bps, spread_bps } of the traded notional, on every fill of every leg."},
				{Name: "cost_overrides", Type: cty.Map(bps), Doc: "Costs of single symbols."},
				{Name: "stress", Doc: "Scenarios: { vol_spike, corr_breakdown, cost_increase, latency_bars, gap_percent }, each a list.",
					Type: cty.Object(map[string]cty.Type{"vol_spike": list, "corr_breakdown": list, "cost_increase": list, "latency_bars": list, "gap_percent": list})},
			},
		},
	}
}

const doc = `Trades the out-of-fold predictions of a model, never in-sample ones, on the bars of its features. A signal (return_prob above
theta1, risk_score below theta2, and the entry rule of AI1) is read at the close of a bar and filled at the open of the
next. The legs are beta-neutral, rounded to their lot steps, and pay costs on every fill. The position is closed at the
target, at the stop or after max_bars.

Where the rules leave a choice: theta_stop closes a position when return_prob falls below it, because the model no longer
believes in the reversion. Costs, spread_bps included, are charged on every fill of every leg, which is cautious: a table of
full bid-ask spreads may be halved. A is sized to leverage x equity / (1 + |beta|), rounded down to its lot step, B to the
step nearest to beta times A; a lot is 100,000 units. A trading day ends at 17:00 in New York. max_drawdown is of the equity
at every bar's close. halt_rate is the share of scored bars with risk_score >= theta2.

Scenarios keep the scores and ask what the same decisions would have earned: vol_spike multiplies every price change, and
slippage and spread; corr_breakdown lowers the legs' correlation to that value, leaving B its mean and variance;
cost_increase adds basis points to every fill; latency_bars fills that many bars later; gap_percent moves leg A by that
much against a position held over a closing of the market.

Files: ` + "`bt_summary.json`, `bt_trades.parquet` (the table), `bt_daily_equity.parquet`, `bt_stress.json`, `equity.svg`" + `. Metrics:
annual_return (compounded, 252 days), sharpe (daily returns, times the square root of 252), max_drawdown, trades,
trades_per_year, win_rate, expectancy, halt_rate. One that is not defined, as without a trade, is absent, so that an
expectation on it fails; the summary says why.`

const example = `stage "backtest" "backtest" {
  model    = stage.model
  features = stage.features
  leg_a    = { canonical_symbol = "EURUSD", min_lot = 0.01, lot_step = 0.01 }
  leg_b    = { canonical_symbol = "USDJPY", min_lot = 0.01, lot_step = 0.01 }
  exit     = { z_exit = 0.5, max_bars = 48, theta_stop = 0.45 }
  costs    = { commission_bps = 10, slippage_bps = 8, spread_bps = 5 }
  expect "metric_to_be_between" {
    metric    = "sharpe"
    min_value = 1.2
  }
}`
