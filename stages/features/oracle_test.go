package features_test

import (
	"encoding/json"
	"math"
	"testing"

	"pipe/stages/features"
	"pipe/stages/features/oracletest"
)

// pairScript is the definition of the features and labels in pandas, written from the package comment.
const pairScript = `
A, B = pd.DataFrame(arg["a"]), pd.DataFrame(arg["b"])
P, L = arg["p"], arg["l"]
a, b = np.log(A.close), np.log(B.close)
W = P["beta_window"]
beta = a.rolling(W).cov(b) / b.rolling(W).var()
alpha = a.rolling(W).mean() - beta * b.rolling(W).mean()
spread = a - alpha - beta * b
zw = P["z_window"]
z = (spread - spread.rolling(zw).mean()) / spread.rolling(zw).std()
dz = z.diff()
ema = lambda x, s: x.ewm(span=s, adjust=False, min_periods=s).mean()
dze = ema(dz, P["z_ema_span"])
def wilder(x, n):
    x = x.dropna(); out = pd.Series(np.nan, index=x.index)
    v = x.iloc[:n].mean(); out.iloc[n-1] = v
    for i in range(n, len(x)):
        v += (x.iloc[i] - v) / n; out.iloc[i] = v
    return out.reindex(range(len(A)))
def atr(D):
    prev = D.close.shift()
    tr = pd.concat([D.high-D.low, (D.high-prev).abs(), (D.low-prev).abs()], axis=1).max(axis=1)
    tr[0] = np.nan
    return wilder(tr, P["atr_period"])
atr_a, atr_b = atr(A), atr(B)
R = P["rho_window"]
rho = a.diff().rolling(R).corr(b.diff())
def half(w):
    phi = np.polyfit(w[:-1], w[1:], 1)[0]
    if phi <= 0: return 0.0
    if phi >= 1: return float(len(w))
    return min(-np.log(2)/np.log(phi), float(len(w)))
path = (a.diff() - beta.shift() * b.diff()).cumsum()
d = path.diff(); d[d.index <= path.first_valid_index()] = np.nan
g, s = wilder(d.clip(lower=0), P["rsi_period"]), wilder((-d).clip(lower=0), P["rsi_period"])
S = P["stability_window"]
D = P["drawdown_window"]
dd = np.maximum(1 - np.exp(path - path.rolling(D).max()), 1 - np.exp(path.rolling(D).min() - path))
gap = ema(path, P["ema_fast"]) - ema(path, P["ema_slow"])
slope = path.rolling(P["slope_window"]).apply(lambda w: np.polyfit(np.arange(len(w)), w, 1)[0], raw=True)
ratio = (atr_a / A.close) / (atr_b / B.close)
rv = rho.rolling(R).var()
side = np.sign(z)
F = {"spread": spread, "z": z, "delta_z": dz, "z_ema": ema(z, P["z_ema_span"]), "delta_z_ema": dze, "atr_a": atr_a, "atr_b": atr_b,
 "atr_ratio": ratio, "rho_25": rho, "rho_var_25": rv, "beta_stability": 1/(1+beta.rolling(S).std()/beta.rolling(S).mean().abs()),
 "half_life": spread.rolling(P["half_life_window"]).apply(half, raw=True), "ema_gap": gap, "slope": slope, "rsi": 100-100/(1+g/s),
 "drawdown_recent": dd, "abs_z": z.abs(), "abs_delta_z_ema": dze.abs(), "delta_z_side": dz*side, "ema_gap_side": gap*side, "slope_side": slope*side,
 "beta": beta}
n = len(A); t = A.time
ai1, end1, ai2, end2 = [[None]*n for _ in range(4)]
H = int(L["ai1_horizon"])
for i in range(n):
    if i + H < n and abs(z[i]) >= L["z_entry"] and abs(dze[i]) <= L["delta_z_ema"]:
        future = z[i+1:i+H+1]
        hits = future.index[(future * np.sign(z[i])) <= L["z_exit"]]
        ai1[i], end1[i] = (1.0, t[hits[0]]) if len(hits) else (0.0, t[i+H])
    parts = [rv[i], ratio[i], dze[i], dd[i]]
    if not any(np.isnan(p) for p in parts):
        ai2[i] = float(rv[i] > L["rho_var"] or ratio[i] > L["atr_ratio"] or abs(dze[i]) > L["delta_z_ema"] or dd[i] > L["drawdown"])
        end2[i] = t[i]
F.update({"ai1_label": ai1, "ai1_end": end1, "ai2_label": ai2, "ai2_end": end2})
reply(F)
`

func table(b features.Bars) map[string]oracletest.Series {
	time := make(oracletest.Series, b.Len())
	for i, v := range b.Time {
		time[i] = float64(v)
	}
	return map[string]oracletest.Series{"time": time, "open": b.Open, "high": b.High, "low": b.Low, "close": b.Close}
}

func TestPairAgainstPandas(t *testing.T) {
	a, b := legs(6, 900)
	l := page()
	l.DeltaZEMA, l.AI1Horizon, l.RhoVar, l.Drawdown = 0.4, 4, 0.012, 0.012 // so that each condition decides some bars
	set, err := features.Pair(a, b, small())
	if err != nil {
		t.Fatal(err)
	}
	if err := features.Label(set, l, small()); err != nil {
		t.Fatal(err)
	}
	var want map[string]oracletest.Series
	oracletest.Run(t, pairScript, map[string]any{"a": table(a), "b": table(b), "p": small(), "l": l}, &want)
	names := append(append([]string{"beta"}, set.Features...), features.AI1Label, features.AI1End, features.AI2Label, features.AI2End)
	if len(names) != len(want) {
		t.Errorf("%d columns are compared, the oracle has %d", len(names), len(want))
	}
	for _, name := range names {
		got, _ := set.Frame.Col(name)
		oracletest.Same(t, name, got, want[name], 1e-7)
	}
	for _, name := range []string{features.AI1Label, features.AI2Label} {
		got, _ := set.Frame.Col(name)
		count := map[float64]int{}
		for _, v := range got {
			if !math.IsNaN(v) {
				count[v]++
			}
		}
		if count[0] < 5 || count[1] < 5 {
			t.Errorf("%s has too few of a class to be a test: %v", name, count)
		}
	}
}

func TestSchemaAndReport(t *testing.T) {
	a, b := legs(6, 900)
	set, err := features.Pair(a, b, small())
	if err != nil {
		t.Fatal(err)
	}
	if err := features.Label(set, page(), small()); err != nil {
		t.Fatal(err)
	}
	schema := features.NewSchema(set, "pair", []string{"EURUSD", "USDJPY"}, small(), page())
	text, err := schema.JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := features.ReadSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := back.JSON()
	if string(again) != string(text) {
		t.Errorf("the schema does not survive writing and reading:\n%s\n%s", text, again)
	}
	a.Close[500] *= 1.2 // comes back at the next bar: an outlier and a spike, and the way back is a second outlier
	report, err := features.NewReport(set, features.Alignment{Joined: 900, OnlyA: 60, Filled: 40}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if report.MissingShare != 100.0/960 || report.OutlierShare != 2.0/1798 || report.SpikeShare != 1.0/1798 {
		t.Errorf("shares: missing %v, outliers %v, spikes %v", report.MissingShare, report.OutlierShare, report.SpikeShare)
	}
	if report.Complete+report.WarmUp != report.Rows || report.WarmUp == 0 || report.AI1.Samples == 0 || report.AI2.Positives == 0 {
		t.Errorf("rows and labels: %+v", report)
	}
	if text, err := report.JSON(); err != nil || !json.Valid(text) {
		t.Errorf("report: %v\n%s", err, text)
	}
}

func TestMistakesNameTheParameter(t *testing.T) {
	p := small()
	p.EMAFast = 30
	l := page()
	l.ZExit = 2
	a, b := legs(1, 60)
	_, perr := features.Pair(a, b, p)
	for want, err := range map[string]error{"ema_fast": perr, "z_entry": l.Check()} {
		if e, ok := err.(*features.ParamError); !ok || e.Name != want {
			t.Errorf("got %v, want a mistake in %s", err, want)
		}
	}
	if _, err := features.Single(a, small()); err == nil {
		t.Error("a single symbol that carries no z was accepted")
	}
}
