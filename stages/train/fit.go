package train

import (
	"context"
	"fmt"
	"math"

	"pipe/stages/features"
	"pipe/stages/features/frame"
	"pipe/stages/features/scale"
	"pipe/stages/train/fold"
	"pipe/stages/train/isotonic"
	"pipe/stages/train/logit"
	"pipe/stages/train/score"
)

// Result is a finished training.
type Result struct {
	AI1, AI2    Model
	Schema      features.Schema // with the scalers of the final models
	Predictions *frame.Frame    // out of fold
	Report      Report
	AsOf        int64 // time of the last bar of the data
	settings    Settings
}

// Columns of the out-of-fold predictions.
const (
	FoldColumn    = "fold"
	ReturnProb    = "return_prob"
	RiskScore     = "risk_score"
	ReturnProbRaw = "return_prob_raw"
	RiskScoreRaw  = "risk_score_raw"
)

type fitter struct {
	set    Settings
	frame  *frame.Frame
	schema features.Schema
	rows   []int   // usable rows of frame
	time   []int64 // of the usable rows
	blocks []fold.Block
	tasks  []*task
}

// Fit trains both models on labelled features.
func Fit(ctx context.Context, f *frame.Frame, schema features.Schema, s Settings) (*Result, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	rows, err := f.Complete(schema.Columns)
	if err != nil {
		return nil, err
	}
	w := &fitter{set: s, frame: f, schema: schema, rows: rows}
	for _, r := range rows {
		w.time = append(w.time, f.Time[r])
	}
	if w.blocks, err = s.CV.Blocks(len(rows)); err != nil {
		return nil, err
	}
	if w.tasks, err = tasks(f, rows, s); err != nil {
		return nil, err
	}
	report := Report{Format: reportFormat, CV: s.CV, UsableRows: len(rows)}
	for _, t := range w.tasks {
		all := t.labelled(0, len(rows))
		report.Models = append(report.Models, &Scores{Model: t.name, Samples: len(all), Positives: t.positives(all)})
	}
	for k := range w.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := w.crossValidate(k, report.Models); err != nil {
			return nil, err
		}
	}
	for i, t := range w.tasks {
		if err := t.calibrate(w.blocks, report.Models[i]); err != nil {
			return nil, err
		}
	}
	res := &Result{Report: report, AsOf: f.Time[f.Len()-1], settings: s}
	if err := w.final(ctx, res); err != nil {
		return nil, err
	}
	return res, w.predictions(res)
}

// scaled fits the scalers on some usable rows and applies them to all.
func (w *fitter) scaled(on []int) (logit.Matrix, []scale.Scaler, int, error) {
	x := logit.Matrix{Data: make([]float64, len(w.rows)*len(w.schema.Columns)), Cols: len(w.schema.Columns)}
	var scalers []scale.Scaler
	clipped := 0
	for j, name := range w.schema.Columns {
		values, err := w.frame.Need(name)
		if err != nil {
			return x, nil, 0, err
		}
		usable := pick(values, w.rows)
		s, err := scale.Fit(name, usable, on)
		if err != nil {
			return x, nil, 0, err
		}
		scalers = append(scalers, s)
		for i, v := range usable {
			x.Data[i*x.Cols+j] = s.Apply(v, w.schema.Scaling.Clip)
			if s.Clips(v, w.schema.Scaling.Clip) {
				clipped++
			}
		}
	}
	return x, scalers, clipped, nil
}

// crossValidate trains fold k of every task and predicts its validation block, uncalibrated.
func (w *fitter) crossValidate(k int, scores []*Scores) error {
	b := w.blocks[k]
	var x logit.Matrix
	if outside := w.set.CV.Outside(b, len(w.rows)); len(outside) > 0 {
		var err error
		if x, _, _, err = w.scaled(outside); err != nil {
			return err
		}
	}
	for i, t := range w.tasks {
		training := w.set.CV.Training(b, t.labels)
		fs := FoldScores{Fold: k + 1, Validation: span(w.time, t.labelled(b.From, b.To)), Train: t.trainSpan(w.time, training.Rows)}
		fs.Train.Purged, fs.Train.Embargoed = training.Purged, training.Embargoed
		if n, pos := fs.Train.Rows, fs.Train.Positives; pos == 0 || pos == n {
			fs.Reason = fmt.Sprintf("the fold has no model: its %d training samples hold %d positives, and both classes are needed", n, pos)
		} else {
			m, _, err := t.fit(x, training.Rows)
			if err != nil {
				return fmt.Errorf("%s, fold %d: %w", t.name, k+1, err)
			}
			fs.Iterations, fs.Converged = m.Iterations, m.Converged
			for r := b.From; r < b.To; r++ {
				t.raw[r] = m.Probability(x.Row(r))
			}
		}
		t.trainable = append(t.trainable, training.Rows)
		scores[i].Folds = append(scores[i].Folds, fs)
	}
	return nil
}

// calibrate turns the raw predictions of every block into calibrated ones, by a curve fitted on the out-of-fold
// predictions of rows that the block's model may train on; then it scores them.
func (t *task) calibrate(blocks []fold.Block, s *Scores) error {
	copy(t.predicted, t.raw)
	for k, b := range blocks {
		fs := &s.Folds[k]
		curve, said, err := t.curve(t.trainable[k])
		if err != nil {
			return err
		}
		fs.Calibration = said
		for r := b.From; curve != nil && r < b.To; r++ {
			if !math.IsNaN(t.raw[r]) {
				t.predicted[r] = curve.At(t.raw[r])
			}
		}
		if fs.Metrics, fs.Raw, err = t.score(b.From, b.To); err != nil {
			return err
		}
	}
	var err error
	s.Pooled, s.PooledRaw, err = t.score(0, len(t.y))
	return err
}

// curve fits a calibration on the out-of-fold predictions among rows; nil, and the reason, if that is not possible.
func (t *task) curve(rows []int) (*isotonic.Curve, string, error) {
	var have []int
	for _, r := range rows {
		if !math.IsNaN(t.raw[r]) {
			have = append(have, r)
		}
	}
	pos := t.positives(have)
	if pos == 0 || pos == len(have) {
		return nil, fmt.Sprintf("none: %d out-of-fold samples with %d positives could be used, and both classes are needed", len(have), pos), nil
	}
	c, err := isotonic.Fit(pick(t.raw, have), pick(t.y, have))
	return &c, fmt.Sprintf("isotonic on %d out-of-fold samples", len(have)), err
}

// score measures the predictions of the rows from..to that have a label and a prediction.
func (t *task) score(from, to int) (calibrated, raw score.Metrics, err error) {
	var rows []int
	for _, r := range t.labelled(from, to) {
		if !math.IsNaN(t.raw[r]) {
			rows = append(rows, r)
		}
	}
	y := pick(t.y, rows)
	if calibrated, err = score.Of(pick(t.predicted, rows), y); err != nil {
		return
	}
	raw, err = score.Of(pick(t.raw, rows), y)
	return
}

// final fits the models that are shipped, on all usable rows.
func (w *fitter) final(ctx context.Context, res *Result) error {
	all := make([]int, len(w.rows))
	for i := range all {
		all[i] = i
	}
	x, scalers, clipped, err := w.scaled(all)
	if err != nil {
		return err
	}
	res.Report.ClippedShare = float64(clipped) / float64(len(x.Data))
	res.Schema = w.schema
	on := span(w.time, all)
	res.Schema.Scalers, res.Schema.FittedOn = scalers, &on
	for i, m := range []*Model{&res.AI1, &res.AI2} {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, scores := w.tasks[i], res.Report.Models[i]
		rows := t.labelled(0, len(all))
		fitted, class, err := t.fit(x, rows)
		if err != nil {
			return fmt.Errorf("%s: its %d samples hold %d positives: %w", t.name, len(rows), t.positives(rows), err)
		}
		curve, said, err := t.curve(rows)
		if err != nil {
			return err
		}
		scores.Final = FinalFit{Train: t.trainSpan(w.time, rows), Iterations: fitted.Iterations, Converged: fitted.Converged, Calibration: said}
		*m = Model{Format: modelFormat, Name: t.name, Kind: "logistic_l2", Columns: w.schema.Columns, Weights: fitted.Weights,
			Intercept: fitted.Intercept, Calibration: curve, Params: t.params, ClassWeights: ClassWeights{class[0], class[1]}, Train: scores.Final.Train}
	}
	return nil
}

// predictions builds the table of out-of-fold predictions: a row for each usable row of a validation block.
func (w *fitter) predictions(res *Result) error {
	var rows []int
	var number []float64
	for k, b := range w.blocks {
		for r := b.From; r < b.To; r++ {
			rows, number = append(rows, r), append(number, float64(k+1))
		}
	}
	var time []int64
	for _, r := range rows {
		time = append(time, w.time[r])
	}
	f, err := frame.New(time)
	if err != nil {
		return err
	}
	ai1, ai2 := w.tasks[0], w.tasks[1]
	for _, c := range []struct {
		name   string
		values []float64
	}{{FoldColumn, number}, {ReturnProb, pick(ai1.predicted, rows)}, {RiskScore, pick(ai2.predicted, rows)},
		{ReturnProbRaw, pick(ai1.raw, rows)}, {RiskScoreRaw, pick(ai2.raw, rows)},
		{features.AI1Label, pick(ai1.y, rows)}, {features.AI2Label, pick(ai2.y, rows)}} {
		if err := f.Set(c.name, c.values); err != nil {
			return err
		}
	}
	res.Predictions = f
	return nil
}
