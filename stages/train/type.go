package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/stages/features"
	"pipe/stages/features/frame"
	"pipe/stages/internal/duck"
	"pipe/stages/train/fold"
)

type config struct {
	Source *stage.Handle `cty:"source"`
	Scheme string        `cty:"scheme"`
	CV     cvConfig      `cty:"cv"`
	AI1    ModelParams   `cty:"ai1_params"`
	AI2    ModelParams   `cty:"ai2_params"`
	Theta1 float64       `cty:"theta1"`
	Theta2 float64       `cty:"theta2"`
}

type cvConfig struct {
	Folds        int `cty:"folds"`
	MinTrainSize int `cty:"min_train_size"`
	HoldoutSize  int `cty:"holdout_size"`
	Purge        int `cty:"purge"`
	Embargo      int `cty:"embargo"`
}

// Type is the train stage.
func Type() stage.Type {
	params := cty.Object(map[string]cty.Type{"learning_rate": cty.Number, "epochs": cty.Number, "l2": cty.Number})
	return &stage.Def[config]{
		Of: addr.Stage, Label: "train", Rev: 1,
		New: newRunner,
		Spec: stage.Schema{
			Doc: typeDoc, Example: typeExample, Table: true,
			Attrs: []stage.Attr{
				{Name: "source", Type: stage.HandleType, Required: true, Doc: "The artifact of a features stage."},
				{Name: "cv", Required: true, Doc: "Cross-validation, in rows: { folds, min_train_size, holdout_size, purge, embargo }.",
					Type: cty.Object(map[string]cty.Type{"folds": cty.Number, "min_train_size": cty.Number, "holdout_size": cty.Number, "purge": cty.Number, "embargo": cty.Number})},
				{Name: "scheme", Type: cty.String, Default: cty.StringVal(string(fold.WalkForward)), OneOf: []string{string(fold.WalkForward), string(fold.KFold)},
					Doc: "How folds are cut: expanding walk-forward, or purged and embargoed K-fold."},
				{Name: "ai1_params", Type: params, Required: true, Doc: "AI1: { learning_rate, epochs, l2 }. epochs is the largest number of L-BFGS iterations, learning_rate the first step."},
				{Name: "ai2_params", Type: params, Required: true, Doc: "AI2, likewise."},
				{Name: "theta1", Type: cty.Number, Required: true, Doc: "Trade above this return_prob; goes into params.yaml."},
				{Name: "theta2", Type: cty.Number, Required: true, Doc: "Trade below this risk_score; goes into params.yaml."},
			},
		},
	}
}

type runner struct{ settings Settings }

func newRunner(c config) (stage.Runner, error) {
	s := Settings{AI1: c.AI1, AI2: c.AI2, Theta1: c.Theta1, Theta2: c.Theta2, CV: fold.Config{Scheme: fold.Scheme(c.Scheme), Folds: c.CV.Folds,
		MinTrainSize: c.CV.MinTrainSize, HoldoutSize: c.CV.HoldoutSize, Purge: c.CV.Purge, Embargo: c.CV.Embargo}}
	err := s.Check()
	var setting *SettingError
	var cut *fold.ConfigError
	switch {
	case errors.As(err, &setting):
		path := cty.Path{}
		for _, step := range setting.Path {
			path = path.GetAttr(step)
		}
		return nil, &stage.AttrError{Path: path, Err: setting.Err}
	case errors.As(err, &cut) && cut.Name == "scheme":
		return nil, stage.Attrf("scheme", "%w", cut.Err)
	case errors.As(err, &cut):
		return nil, &stage.AttrError{Path: cty.GetAttrPath("cv").GetAttr(cut.Name), Err: cut.Err}
	case err != nil:
		return nil, err
	}
	return &runner{s}, nil
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	src, err := in.Get("source")
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(src.Path(features.SchemaFile))
	if err != nil {
		return fmt.Errorf("source is not the artifact of a features stage: it has no %s", features.SchemaFile)
	}
	schema, err := features.ReadSchema(raw)
	if err != nil {
		return err
	}
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	f, err := ReadFrame(ctx, db, src.Table())
	if err != nil {
		return err
	}
	res, err := Fit(ctx, f, schema, r.settings)
	if err != nil {
		return err
	}
	return r.write(ctx, db, src, res, out)
}

// ReadFrame reads a table with a column timestamp and numbers beside it.
func ReadFrame(ctx context.Context, db *duck.DB, path string) (*frame.Frame, error) {
	t, err := db.Table(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := t.Require("timestamp"); err != nil {
		return nil, err
	}
	var at duck.Seconds
	dest, query := []any{&at}, "SELECT timestamp"
	var names []string
	for _, c := range t.Columns {
		if c.Name == "timestamp" {
			continue
		}
		names = append(names, c.Name)
		dest = append(dest, new([]float64))
		query += ", " + duck.Ident(c.Name)
	}
	if err := db.Fetch(ctx, dest, query+" FROM "+t.SQL+" ORDER BY timestamp"); err != nil {
		return nil, err
	}
	f, err := frame.New(at)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if err := f.Set(name, *dest[i+1].(*[]float64)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// WriteFrame writes what ReadFrame reads.
func WriteFrame(ctx context.Context, db *duck.DB, path string, f *frame.Frame) (int64, error) {
	series := []duck.Series{{Name: "timestamp", Values: duck.Seconds(f.Time)}}
	for _, name := range f.Names() {
		col, _ := f.Col(name)
		series = append(series, duck.Series{Name: name, Values: col})
	}
	return db.WriteColumns(ctx, path, series...)
}

func (r *runner) write(ctx context.Context, db *duck.DB, src stage.Input, res *Result, out *stage.Output) error {
	files, version, err := res.Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(out.Path(f.Name), f.Content, 0o600); err != nil {
			return err
		}
	}
	rows, err := WriteFrame(ctx, db, out.Path(PredictionsFile), res.Predictions)
	if err != nil {
		return err
	}
	out.Table(PredictionsFile, rows)
	out.Fact("model_version", version)
	out.Fact("as_of", time.Unix(res.AsOf, 0).UTC().Format(time.RFC3339))
	out.Fact("data_hash", src.Artifact.Facts["feature_hash"])
	out.Fact("theta1", fmt.Sprint(r.settings.Theta1))
	out.Fact("theta2", fmt.Sprint(r.settings.Theta2))
	var failed error
	res.Report.Each(func(name string, value float64) {
		failed = errors.Join(failed, out.Metric(name, value))
	})
	return failed
}

const typeDoc = `Trains AI1 (return_prob: will the spread revert?) and AI2 (risk_score: is the bar risky?): L2 logistic regression on robustly
scaled features, with purged walk-forward or K-fold cross-validation and isotonic calibration fitted on validation
predictions only. Scalers, models and calibration of a fold see nothing of what the fold is validated on.

Walk-forward cuts the rows in which every feature is present into folds + 1 equal parts: the first is only trained on (and
is longer if min_train_size asks for it), each other one is validated on by models trained on all before it. holdout_size is
the least that a fold is validated on. purge rows before a validation part are left out of its training, and so is every
row whose label reads into it. embargo applies to training rows after a validation part, which only K-fold has. A fold whose
training rows hold one class has no model and no predictions, and metrics.json says so.

The predictions of a fold are calibrated on those of other folds whose rows it may train on; in walk-forward the first
fold has none and keeps its raw probabilities. Calibrated probabilities stay 1/(n+2) away from 0 and 1, where n is the
number of samples of the calibration. The rarer class of AI2 is weighted up to balance, at most fivefold. Scalers
are median and MAD, clipped to [-5, 5]. learning_rate is the length of the one gradient step that L-BFGS starts from: at
convergence it makes no difference. metrics.json and the model card say whether a fit converged within epochs iterations.

Files: ` + "`model_ai1.json`, `model_ai2.json`, `feature_schema.json` (with scalers), `params.yaml`, `metrics.json`, `model_card.md`" + ` and
the out-of-fold predictions ` + "`oof_predictions.parquet`" + `, which are the table. Metrics, pooled over the folds: log_loss, brier, auc,
pr_auc, f1, ece, mce with the suffix _ai1 or _ai2; one that is not defined (a single class) is absent, so that an
expectation on it fails. The fact model_version is the time of the data and eight digits of the model files' digest.`

const typeExample = `stage "train" "model" {
  source     = stage.features
  cv         = { folds = 3, min_train_size = 96, holdout_size = 24, purge = 24, embargo = 24 }
  ai1_params = { learning_rate = 0.1, epochs = 200, l2 = 0.0001 }
  ai2_params = { learning_rate = 0.1, epochs = 200, l2 = 0.0001 }
  theta1     = 0.7
  theta2     = 0.3
}`
