package train_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pipe/stages/features"
	"pipe/stages/features/frame"
	"pipe/stages/features/oracletest"
	"pipe/stages/train"
	"pipe/stages/train/fold"
)

const hour, start = 3600, 1736121600 // 2025-01-06T00:00:00Z

func columns() []string { return []string{"u", "v", "w"} }

// labelled makes n rows of three features with labels that depend on them, and some rows without.
func labelled(seed uint64, n int) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 9))
	cols := map[string][]float64{}
	for _, name := range append(columns(), features.AI1Label, features.AI1End, features.AI2Label, features.AI2End) {
		cols[name] = make([]float64, n)
	}
	time := make([]int64, n)
	for i := range n {
		time[i] = int64(start + i*hour)
		u, v, w := r.NormFloat64(), math.Exp(r.NormFloat64()), r.NormFloat64()
		cols["u"][i], cols["v"][i], cols["w"][i] = u, v, w
		draw := func(margin float64) float64 {
			if r.Float64() < 1/(1+math.Exp(-margin)) {
				return 1
			}
			return 0
		}
		cols[features.AI1Label][i], cols[features.AI1End][i] = draw(0.5+u-0.3*v), float64(time[i]+int64(r.IntN(20))*hour)
		if r.IntN(3) == 0 {
			cols[features.AI1Label][i], cols[features.AI1End][i] = math.NaN(), math.NaN()
		}
		cols[features.AI2Label][i], cols[features.AI2End][i] = draw(-2.5+0.8*v), float64(time[i])
		if i < 7 {
			cols["w"][i] = math.NaN() // warm-up
		}
	}
	f, err := frame.New(time)
	if err != nil {
		panic(err)
	}
	for _, name := range append(columns(), features.AI1Label, features.AI1End, features.AI2Label, features.AI2End) {
		if err := f.Set(name, cols[name]); err != nil {
			panic(err)
		}
	}
	return f
}

func schema() features.Schema {
	return features.Schema{Format: "pipe.feature_schema/1", Mode: "pair", Symbols: []string{"EURUSD", "USDJPY"}, Columns: columns(),
		Thresholds: features.LabelParams{ZEntry: 2, ZExit: 0.5, DeltaZEMA: 0.12, AI1Horizon: 48, RhoVar: 0.025, ATRRatio: 1.8, Drawdown: 0.07},
		Scaling:    features.Scaling{Method: "median_mad", Clip: 5}}
}

func settings(scheme fold.Scheme) train.Settings {
	p := train.ModelParams{LearningRate: 0.1, Epochs: 200, L2: 1e-4}
	return train.Settings{CV: fold.Config{Scheme: scheme, Folds: 3, MinTrainSize: 96, HoldoutSize: 24, Purge: 24, Embargo: 24},
		AI1: p, AI2: p, Theta1: 0.7, Theta2: 0.3}
}

func fit(t *testing.T, f *frame.Frame, s train.Settings) *train.Result {
	t.Helper()
	res, err := train.Fit(context.Background(), f, schema(), s)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// script trains the folds of one model in scikit-learn, from the package comment.
const script = `
from sklearn.linear_model import LogisticRegression
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import *
from scipy.stats import norm
t, X, y, end = arg["t"], np.column_stack([arg["u"], arg["v"], arg["w"]]), arg["y"], arg["end"]
ok = ~np.isnan(X).any(axis=1)
t, X, y, end = t[ok], X[ok], y[ok], end[ok]
n, folds, purge, embargo = len(t), 3, 24, 24
walk = arg["scheme"] == "walk_forward"
size = n // (folds + 1) if walk else n // folds
first = n - folds*size if walk else 0
blocks = [(first + k*size, first + (k+1)*size) for k in range(folds)]
blocks[-1] = (blocks[-1][0], n)
row = np.arange(n); has = ~np.isnan(y)
raw, cal, trainable = np.full(n, np.nan), np.full(n, np.nan), []
for lo, hi in blocks:
    before = (row < lo - purge)
    after = (row >= hi + embargo) & (not walk)
    outside = before | after
    train = has & before & (np.nan_to_num(end, nan=0) < t[lo])
    if not walk:
        last = max(t[hi-1], np.nanmax(end[lo:hi]))
        reach = hi + np.sum(t[hi:] <= last)
        train |= has & (row >= reach + embargo)
    med = np.median(X[outside], axis=0)
    sc = np.median(np.abs(X[outside] - med), axis=0) / norm.ppf(.75)
    Z = np.clip((X - med) / sc, -5, 5)
    w = np.ones(n)
    if arg["balance"]:
        pos = y[train].sum(); neg = train.sum() - pos
        w[y == (1 if pos < neg else 0)] = min(5, max(neg/pos, pos/neg))
    m = LogisticRegression(C=1/(1e-4*w[train].sum()), solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(Z[train], y[train], sample_weight=w[train])
    raw[lo:hi] = m.predict_proba(Z[lo:hi])[:, 1]
    trainable.append(train)
cal[:] = raw
for (lo, hi), train in zip(blocks, trainable):
    use = train & ~np.isnan(raw)
    if 0 < y[use].sum() < use.sum():
        bound = 1/(use.sum()+2)
        cal[lo:hi] = np.clip(IsotonicRegression(out_of_bounds="clip").fit(raw[use], y[use]).predict(raw[lo:hi]), bound, 1-bound)
s = has & ~np.isnan(raw)
reply({"raw": raw[first:], "cal": cal[first:], "pooled": [log_loss(y[s], cal[s]), brier_score_loss(y[s], cal[s]), roc_auc_score(y[s], cal[s]), average_precision_score(y[s], cal[s])]})
`

func TestFoldsAgainstScikitLearn(t *testing.T) {
	f := labelled(1, 900)
	col := func(name string) oracletest.Series { c, _ := f.Col(name); return c }
	time := make(oracletest.Series, f.Len())
	for i, v := range f.Time {
		time[i] = float64(v)
	}
	for _, scheme := range []fold.Scheme{fold.WalkForward, fold.KFold} {
		res := fit(t, f, settings(scheme))
		for i, m := range []struct {
			name, label, end, raw, calibrated string
			balance                           bool
		}{{"ai1", features.AI1Label, features.AI1End, train.ReturnProbRaw, train.ReturnProb, false},
			{"ai2", features.AI2Label, features.AI2End, train.RiskScoreRaw, train.RiskScore, true}} {
			var want map[string]oracletest.Series
			oracletest.Run(t, script, map[string]any{"t": time, "u": col("u"), "v": col("v"), "w": col("w"), "y": col(m.label),
				"end": col(m.end), "scheme": scheme, "balance": m.balance}, &want)
			raw, _ := res.Predictions.Col(m.raw)
			calibrated, _ := res.Predictions.Col(m.calibrated)
			name := string(scheme) + " " + m.name
			oracletest.Same(t, name+" raw", raw, want["raw"], 1e-6)
			oracletest.Same(t, name+" calibrated", calibrated, want["cal"], 1e-5)
			p := res.Report.Models[i].Pooled
			oracletest.Same(t, name+" pooled", []float64{*p.LogLoss, *p.Brier, *p.AUC, *p.PRAUC}, want["pooled"], 1e-4)
		}
	}
}

// TestPredictionsReadNoFuture changes features and labels after a validation block: in walk-forward, the predictions
// of that block and of those before it must keep their bits, calibration included.
func TestPredictionsReadNoFuture(t *testing.T) {
	const n = 907
	f, other := labelled(1, n), labelled(2, n)
	want := fit(t, f, settings(fold.WalkForward))
	number, _ := want.Predictions.Col(train.FoldColumn)
	for block := 1.0; block <= 3; block++ {
		last := 0
		for i, k := range number {
			if k == block {
				last = i
			}
		}
		from := (int(want.Predictions.Time[last]) - start) / hour
		changed := labelled(1, n)
		for _, name := range changed.Names() {
			to, _ := changed.Col(name)
			with, _ := other.Col(name)
			copy(to[from+1:], with[from+1:])
		}
		label, _ := changed.Col(features.AI1Label)
		end, _ := changed.Col(features.AI1End)
		for i := range from + 1 { // labels that the changed rows decided, read backwards from them
			if end[i] > float64(changed.Time[from]) {
				label[i] = 1 - label[i]
			}
		}
		got := fit(t, changed, settings(fold.WalkForward))
		compared := 0
		for _, name := range []string{train.ReturnProb, train.RiskScore, train.ReturnProbRaw, train.RiskScoreRaw} {
			g, _ := got.Predictions.Col(name)
			w, _ := want.Predictions.Col(name)
			for i := 0; i <= last; i++ {
				if math.Float64bits(g[i]) != math.Float64bits(w[i]) {
					t.Fatalf("%s at row %d (fold %v) changed from %v to %v when the rows after fold %v did", name, i, number[i], w[i], g[i], block)
				}
				compared++
			}
		}
		if compared == 0 {
			t.Fatal("nothing was compared")
		}
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	once, version := files(t, fit(t, labelled(1, 600), settings(fold.WalkForward)))
	again, versionAgain := files(t, fit(t, labelled(1, 600), settings(fold.WalkForward)))
	if version != versionAgain {
		t.Errorf("versions %s and %s", version, versionAgain)
	}
	for name, b := range once {
		if !bytes.Equal(b, again[name]) {
			t.Errorf("%s differs", name)
		}
	}
	s := settings(fold.WalkForward)
	s.Theta1 = 0.71
	if _, other := files(t, fit(t, labelled(1, 600), s)); other == version {
		t.Error("another theta1 gives the same version")
	}
	// The version is what its documentation says: sha256sum of the four files, digested once more.
	list := ""
	for _, name := range []string{"model_ai1.json", "model_ai2.json", "feature_schema.json", "params.yaml"} {
		list += fmt.Sprintf("%x  %s\n", sha256.Sum256(once[name]), name)
	}
	sum := sha256.Sum256([]byte(list))
	if want := "20250130_2300-" + hex.EncodeToString(sum[:])[:8]; version != want {
		t.Errorf("version %s, want %s", version, want)
	}
}

func files(t *testing.T, res *train.Result) (map[string][]byte, string) {
	t.Helper()
	list, version, err := res.Files()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range list {
		out[f.Name] = f.Content
		if bytes.Contains(f.Content, []byte("NaN")) || bytes.Contains(f.Content, []byte("Inf")) {
			t.Errorf("%s holds a number that is none", f.Name)
		}
		if strings.HasSuffix(f.Name, ".json") && !json.Valid(f.Content) {
			t.Errorf("%s is not JSON", f.Name)
		}
	}
	return out, version
}

func TestShippedModelScoresFromItsFiles(t *testing.T) {
	f := labelled(1, 600)
	written, _ := files(t, fit(t, f, settings(fold.WalkForward)))
	model, err := train.ReadModel(written["model_ai1.json"])
	if err != nil {
		t.Fatal(err)
	}
	schema, err := features.ReadSchema(written["feature_schema.json"])
	if err != nil {
		t.Fatal(err)
	}
	// The label was made from u (upwards) and v (downwards): the shipped model must have found both.
	at := func(u, v float64) float64 {
		p, err := model.Score(schema, []float64{u, v, 0})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if !(at(2, 1) > at(-2, 1)+0.3) || !(at(0, 0.1) >= at(0, 8)) {
		t.Errorf("scores: u up %v, down %v; v low %v, high %v", at(2, 1), at(-2, 1), at(0, 0.1), at(0, 8))
	}
	if _, err := model.Score(schema, []float64{1}); err == nil {
		t.Error("a bar with one feature of three was scored")
	}
}

// TestFoldOfOneClass: a fold that can't be trained has a reason and no metrics, and its rows have no predictions.
func TestFoldOfOneClass(t *testing.T) {
	f := labelled(1, 600)
	y, _ := f.Col(features.AI1Label)
	for i := range 250 {
		if !math.IsNaN(y[i]) {
			y[i] = 1
		}
	}
	res := fit(t, f, settings(fold.WalkForward))
	first := res.Report.Models[0].Folds[0]
	if first.Reason == "" || first.Metrics.N != 0 || first.Metrics.AUC != nil || first.Metrics.Missing["auc"] == "" {
		t.Errorf("fold 1: %+v", first)
	}
	p, _ := res.Predictions.Col(train.ReturnProb)
	risk, _ := res.Predictions.Col(train.RiskScore)
	if !math.IsNaN(p[0]) || math.IsNaN(risk[0]) {
		t.Errorf("the fold's first row has return_prob %v and risk_score %v", p[0], risk[0])
	}
	if res.Report.Models[0].Folds[2].Reason != "" {
		t.Errorf("fold 3: %+v", res.Report.Models[0].Folds[2])
	}
	files(t, res)
	for i := range y {
		if !math.IsNaN(y[i]) {
			y[i] = 1
		}
	}
	if _, err := train.Fit(context.Background(), f, schema(), settings(fold.WalkForward)); err == nil || !strings.Contains(err.Error(), "one class") {
		t.Errorf("labels of one class: %v", err)
	}
}

func TestClassWeightIsBounded(t *testing.T) {
	f := labelled(1, 600)
	y, _ := f.Col(features.AI2Label)
	for i := range y {
		y[i] = 0
		if i%20 == 0 {
			y[i] = 1
		}
	}
	res := fit(t, f, settings(fold.WalkForward))
	if w := res.AI2.ClassWeights; w.Negative != 1 || w.Positive != 5 {
		t.Errorf("at 1 in 20 the weights are %+v, want 1 to 5", w)
	}
	if w := res.AI1.ClassWeights; w.Negative != 1 || w.Positive != 1 {
		t.Errorf("AI1 is weighted: %+v", w)
	}
}

func TestMistakesNameTheSetting(t *testing.T) {
	for want, spoil := range map[string]func(*train.Settings){
		"ai1_params.l2":            func(s *train.Settings) { s.AI1.L2 = 0 },
		"ai2_params.epochs":        func(s *train.Settings) { s.AI2.Epochs = 0 },
		"ai2_params.learning_rate": func(s *train.Settings) { s.AI2.LearningRate = math.NaN() },
		"theta1":                   func(s *train.Settings) { s.Theta1 = 1.5 },
	} {
		s := settings(fold.KFold)
		spoil(&s)
		if e, ok := s.Check().(*train.SettingError); !ok || strings.Join(e.Path, ".") != want {
			t.Errorf("got %v, want a mistake in %s", s.Check(), want)
		}
	}
	if _, err := train.Fit(context.Background(), labelled(1, 90), schema(), settings(fold.WalkForward)); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("90 rows: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := train.Fit(ctx, labelled(1, 600), schema(), settings(fold.KFold)); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}
