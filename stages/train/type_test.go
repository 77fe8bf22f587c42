package train_test

import (
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/stage/stagetest"
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
  drawdown    = 0.04
}
`

// made is the artifact of a features stage over n made bars.
func made(t *testing.T, n int) stagetest.Upstream {
	t.Helper()
	a, b := oracletest.MadeCSV(1, n)
	bars := func(symbol, csv string) stagetest.Upstream {
		u := stagetest.Table("canonical.csv", csv, 0)
		u.Info = artifact.Info{Main: "canonical.csv", Facts: map[string]string{"symbol": symbol}}
		return u
	}
	var out stagetest.Upstream
	stagetest.Run(t, features.Type(), stagetest.Case{Name: "features", Config: "legs = { a = stage.a, b = stage.b }\n" + windows,
		Upstreams: map[string]stagetest.Upstream{"stage.a": bars("EURUSD", a), "stage.b": bars("USDJPY", b)},
		Check:     func(t *testing.T, r stagetest.Result) { out = r.AsUpstream(t) }})
	if out.Files == nil {
		t.Fatal("the features stage made nothing")
	}
	return out
}

const config = `
source     = stage.features
cv         = { folds = 3, min_train_size = 96, holdout_size = 24, purge = 24, embargo = 24 }
ai1_params = { learning_rate = 0.1, epochs = 200, l2 = 0.01 }
ai2_params = { learning_rate = 0.1, epochs = 200, l2 = 0.01 }
theta1     = 0.7
theta2     = 0.3
`

func scores(t *testing.T, path, name string) []float64 {
	t.Helper()
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out []float64
	if err := db.Fetch(t.Context(), []any{&out}, "SELECT "+duck.Ident(name)+" FROM "+duck.Scan(path)+" ORDER BY timestamp"); err != nil {
		t.Fatal(err)
	}
	return out
}

func checkModel(t *testing.T, r stagetest.Result) {
	t.Helper()
	if got, want := strings.Join(r.Files, " "), "feature_schema.json metrics.json model_ai1.json model_ai2.json model_card.md oof_predictions.parquet params.yaml"; got != want {
		t.Errorf("files %q, want %q", got, want)
	}
	version := r.Facts["model_version"]
	if !regexp.MustCompile(`^20250216_1500-[0-9a-f]{8}$`).MatchString(version) || r.Facts["as_of"] != "2025-02-16T15:00:00Z" || r.Facts["data_hash"] == "" {
		t.Errorf("facts: %v", r.Facts)
	}
	for _, f := range []string{train.MetricsFile, train.CardFile} {
		if !strings.Contains(r.File(t, f), version) {
			t.Errorf("%s does not name the version", f)
		}
	}
	for _, name := range []string{"auc_ai1", "auc_ai2", "brier_ai1", "log_loss_ai2", "pr_auc_ai1", "f1_ai2", "ece_ai1", "mce_ai2", "n_ai1"} {
		if v, ok := r.Metrics[name]; !ok || v <= 0 {
			t.Errorf("metric %s: %v, %v", name, v, ok)
		}
	}
	if r.Metrics["auc_ai2"] < 0.8 {
		t.Errorf("auc_ai2 is %v: a risk that the features show was not learnt", r.Metrics["auc_ai2"])
	}
	schema, err := features.ReadSchema([]byte(r.File(t, train.SchemaFile)))
	if err != nil || len(schema.Scalers) != len(schema.Columns) || schema.FittedOn == nil {
		t.Errorf("schema: %v, %d scalers", err, len(schema.Scalers))
	}
	for i, p := range scores(t, filepath.Join(r.Dir, train.PredictionsFile), train.RiskScore) {
		if math.IsNaN(p) || p <= 0 || p >= 1 {
			t.Fatalf("risk_score[%d] is %v", i, p)
		}
	}
}

func TestType(t *testing.T) {
	up := map[string]stagetest.Upstream{"stage.features": made(t, 1000)}
	with := func(name, old, repl, attr, want string) stagetest.Case {
		return stagetest.Case{Name: name, Config: strings.Replace(config, old, repl, 1), WantAttr: attr, WantErr: want, Upstreams: up}
	}
	bare := stagetest.Case{Name: "no features", Config: config, WantErr: "not the artifact of a features stage",
		Upstreams: map[string]stagetest.Upstream{"stage.features": stagetest.Table("x.json", "[]", 0)}}
	stagetest.Run(t, train.Type(),
		stagetest.Case{Name: "walk-forward", Config: config, Upstreams: up, Check: checkModel},
		stagetest.Case{Name: "kfold", Config: config + "scheme = \"kfold\"\n", Upstreams: up, Check: checkModel},
		with("scheme", "theta1 ", "scheme = \"shuffle\"\ntheta1 ", "scheme", "shuffle"),
		with("folds", "folds = 3", "folds = 0", "cv.folds", "at least 1"),
		with("l2", "l2 = 0.01", "l2 = 0", "ai1_params.l2", "positive"),
		with("learning rate", "learning_rate = 0.1", "learning_rate = -1", "ai1_params.learning_rate", "positive"),
		with("theta", "theta2     = 0.3", "theta2     = 3", "theta2", "from 0 to 1"),
		with("too few rows", "min_train_size = 96", "min_train_size = 9600", "", "too few"),
		bare,
	)
}
