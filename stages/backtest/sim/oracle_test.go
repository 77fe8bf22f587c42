package sim_test

import (
	"math"
	"testing"

	"pipe/stages/backtest/sim"
	"pipe/stages/features/oracletest"
)

// simulation is the simulation as a plain loop over states, written from the package comment.
const simulation = `
m, s, p = arg["m"], arg["s"], arg["p"]
n = len(m["t"])
cash, pos, todo = p["capital"], None, None
equity, trades = [], []
LOT = 100000.0
vA = lambda price: LOT * price
vB = lambda price: LOT
def worth(q, a, b):
    return q["la"]*LOT*(a - q["pa"]) + q["lb"]*LOT*(b - q["pb"])/b
def fee(q, a, b):
    return (abs(q["la"])*vA(a) + abs(q["lb"])*vB(b)) * p["bps"]/1e4
def leave(i, a, b, why, held):
    global cash, pos
    cash += worth(pos, a, b) - fee(pos, a, b)
    trades.append([pos["bar"], i, cash - pos["before"], pos["side"], held, {"target":0,"stop":1,"max_bars":2,"end":3}[why]])
    pos = None
for i in range(n):
    if todo and todo[0] == i:
        if todo[1] == "in":
            k = todo[2]; side = -1 if s["z"][k] > 0 else 1; beta = s["beta"][k]
            a, b = m["oa"][i], m["ob"][i]
            la = side*math.floor(cash*p["leverage"]/(1+abs(beta))/vA(a)*100 + 1e-7)/100
            lb = round(-beta*la*vA(a)/vB(b)*100)/100
            if abs(la) >= 0.01 and abs(lb) >= 0.01:
                pos = dict(bar=i, side=side, la=la, lb=lb, pa=a, pb=b, before=cash)
                cash -= fee(pos, a, b)
        else:
            leave(i, m["oa"][i], m["ob"][i], todo[1], i - pos["bar"])
        todo = None
    if i == n-1 and pos:
        leave(i, m["ca"][i], m["cb"][i], "end", i - pos["bar"] + 1)
    equity.append(cash + (worth(pos, m["ca"][i], m["cb"][i]) if pos else 0))
    if todo or i + 1 + p["latency"] >= n: continue
    z, rp, rs = s["z"][i], s["rp"][i], s["rs"][i]
    when = i + 1 + p["latency"]
    if pos is None:
        if abs(z) >= 2 and abs(s["dze"][i]) <= .12 and rp > .7 and rs < .3 and not np.isnan(s["beta"][i]): todo = (when, "in", i)
    elif -pos["side"]*z <= .5: todo = (when, "target")
    elif rp < .45: todo = (when, "stop")
    elif i - pos["bar"] + 1 >= 48: todo = (when, "max_bars")
t = pd.to_datetime(m["t"], unit="s", utc=True)
e = pd.Series(equity, index=t)
ny = t.tz_convert("America/New_York").tz_localize(None) + pd.Timedelta(hours=7)
day = e.groupby(ny.date).last()
ret = pd.concat([pd.Series([p["capital"]]), day]).pct_change().dropna()
years = len(day)/252
tr = np.array(trades)
peak = np.maximum.accumulate(np.concatenate([[p["capital"]], equity]))[1:]
halted = s["rs"][~np.isnan(s["rs"])] >= .3
reply({"equity": e, "trades": tr.flatten(), "summary": [(equity[-1]/p["capital"])**(1/years)-1, ret.mean()/ret.std()*np.sqrt(252), (1-e.values/peak).max(),
  len(tr)/years, (tr[:,2] > 0).mean(), halted.mean(), float(len(day))], "day": day, "first_days": [str(d) for d in day.index[:2]]})`

func TestAgainstPlainLoopAndPandas(t *testing.T) {
	reasons := map[string]float64{"target": 0, "stop": 1, "max_bars": 2, "end": 3}
	for _, latency := range []int{0, 1} {
		m, s := made(7, 3000)
		p := policy()
		p.Latency = latency
		res := run(t, m, s, pairLegs(23), p)
		sum, days, err := sim.Summarize(m, s, p, res)
		if err != nil {
			t.Fatal(err)
		}
		at := make(oracletest.Series, len(m.Time))
		for i, v := range m.Time {
			at[i] = float64(v)
		}
		type series = oracletest.Series
		var want struct {
			Equity, Trades, Summary, Day series
			First                        []string `json:"first_days"`
		}
		oracletest.Run(t, simulation, map[string]any{
			"m": map[string]series{"t": at, "oa": m.OpenA, "ca": m.CloseA, "ob": m.OpenB, "cb": m.CloseB},
			"s": map[string]series{"z": s.Z, "dze": s.DeltaZEMA, "beta": s.Beta, "rp": s.ReturnProb, "rs": s.RiskScore},
			"p": map[string]float64{"capital": p.Capital, "leverage": p.Leverage, "bps": 23, "latency": float64(latency)}}, &want)
		var trades, equity []float64
		seen := map[string]int{}
		for _, tr := range res.Trades {
			trades = append(trades, float64(tr.EntryBar), float64(tr.ExitBar), tr.Net, float64(tr.Side), float64(tr.BarsHeld), reasons[tr.Reason])
			seen[tr.Reason]++
		}
		for _, d := range days {
			equity = append(equity, d.Equity)
		}
		if seen["target"] == 0 || seen["stop"] == 0 {
			t.Errorf("the market is too tame to be a test: %v", seen)
		}
		oracletest.Same(t, "trades", trades, want.Trades, 1e-9)
		oracletest.Same(t, "equity", res.Equity, want.Equity, 1e-9)
		oracletest.Same(t, "daily equity", equity, want.Day, 1e-9)
		oracletest.Same(t, "summary", []float64{*sum.AnnualReturn, *sum.Sharpe, *sum.MaxDrawdown, *sum.TradesPerYear, *sum.WinRate, *sum.HaltRate, float64(sum.Days)}, want.Summary, 1e-9)
		if days[0].Date != want.First[0] || days[1].Date != want.First[1] {
			t.Errorf("days begin %s %s, the oracle's %v", days[0].Date, days[1].Date, want.First)
		}
	}
}

func TestStress(t *testing.T) {
	m, s := made(7, 2000)
	base := sim.Setup{Market: m, Signals: s, Legs: pairLegs(5), Policy: policy(), Volatile: []float64{3, 3}}
	stress := sim.Stress{VolSpike: []float64{1, 2}, CorrBreakdown: []float64{0, 0.2, 0.99}, CostIncrease: []float64{0, 30}, LatencyBars: []int{0, 1}, GapPercent: []float64{0, 1}}
	if err := stress.Check(); err != nil {
		t.Fatal(err)
	}
	out, err := stress.Test(base)
	if err != nil {
		t.Fatal(err)
	}
	plain := run(t, m, s, base.Legs, base.Policy)
	sum, _, err := sim.Summarize(m, s, base.Policy, plain)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]map[float64]sim.Outcome{}
	for _, o := range out {
		if by[o.Scenario] == nil {
			by[o.Scenario] = map[float64]sim.Outcome{}
		}
		by[o.Scenario][o.Value] = o
	}
	for kind, neutral := range map[string]float64{"vol_spike": 1, "corr_breakdown": 0.99, "cost_increase": 0, "latency_bars": 0, "gap_percent": 0} {
		if o := by[kind][neutral]; math.Abs(*o.Sharpe-*sum.Sharpe) > 1e-6 || o.Trades != sum.Trades {
			t.Errorf("%s %v should change nothing: Sharpe %v, plain %v", kind, neutral, *o.Sharpe, *sum.Sharpe)
		}
	}
	for kind, value := range map[string]float64{"cost_increase": 30, "gap_percent": 1} {
		if o := by[kind][value]; !(*o.AnnualReturn < *sum.AnnualReturn) {
			t.Errorf("%s %v does not hurt: annual return %v, plain %v", kind, value, *o.AnnualReturn, *sum.AnnualReturn)
		}
	}
	if o := by["vol_spike"][2]; !(*o.MaxDrawdown > *sum.MaxDrawdown) {
		t.Errorf("vol_spike 2: drawdown %v, plain %v", *o.MaxDrawdown, *sum.MaxDrawdown)
	}
	if again := run(t, m, s, base.Legs, base.Policy); len(again.Trades) != len(plain.Trades) || again.Equity[1999] != plain.Equity[1999] {
		t.Error("the scenarios changed what they were given")
	}
	for _, bad := range []sim.Stress{{VolSpike: []float64{0}}, {CorrBreakdown: []float64{1}}, {CostIncrease: []float64{-1}}, {LatencyBars: []int{-1}}, {GapPercent: []float64{math.NaN()}}} {
		if bad.Check() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	one := sim.Setup{Market: sim.Market{Time: m.Time, OpenA: m.OpenA, CloseA: m.CloseA}, Signals: s, Legs: pairLegs(5)[:1], Policy: policy(), Volatile: []float64{0}}
	single, err := sim.Stress{CorrBreakdown: []float64{0}}.Test(one)
	if err != nil || single[0].Reason == "" || single[0].Sharpe != nil {
		t.Errorf("correlation of one leg: %+v, %v", single, err)
	}
}
