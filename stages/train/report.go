package train

import (
	"encoding/json"
	"time"

	"pipe/stages/features"
	"pipe/stages/train/fold"
	"pipe/stages/train/score"
)

// Report is metrics.json.
type Report struct {
	Format       string      `json:"format"`
	ModelVersion string      `json:"model_version"`
	CV           fold.Config `json:"cv"`
	UsableRows   int         `json:"usable_rows"` // rows in which every feature is present
	ClippedShare float64     `json:"clipped_share"`
	Models       []*Scores   `json:"models"`
}

// Scores are those of one model.
type Scores struct {
	Model     string        `json:"model"`
	Samples   int           `json:"samples"`
	Positives int           `json:"positives"`
	Folds     []FoldScores  `json:"folds"`
	Pooled    score.Metrics `json:"pooled"`     // of all out-of-fold predictions, calibrated
	PooledRaw score.Metrics `json:"pooled_raw"` // the same before calibration
	Final     FinalFit      `json:"final"`
}

// FoldScores are those of one fold. Reason says why there are none.
type FoldScores struct {
	Fold        int           `json:"fold"`
	Train       TrainSpan     `json:"train"`
	Validation  features.Span `json:"validation"`
	Reason      string        `json:"reason,omitempty"`
	Iterations  int           `json:"iterations"`
	Converged   bool          `json:"converged"`
	Calibration string        `json:"calibration"`
	Metrics     score.Metrics `json:"metrics"`
	Raw         score.Metrics `json:"raw"`
}

// TrainSpan says what a fold was trained on: the labelled rows left after purging.
type TrainSpan struct {
	features.Span
	Positives int `json:"positives"`
	Purged    int `json:"purged"`
	Embargoed int `json:"embargoed"`
}

// FinalFit says how the model that is shipped was fitted.
type FinalFit struct {
	Train       TrainSpan `json:"train"`
	Iterations  int       `json:"iterations"`
	Converged   bool      `json:"converged"`
	Calibration string    `json:"calibration"`
}

const reportFormat = "pipe.train_metrics/1"

// JSON returns the report as it is written.
func (r Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// Each calls f for every pooled metric that is present, as auc_ai1 and the like, and for the sample counts.
func (r Report) Each(f func(name string, value float64)) {
	for _, m := range r.Models {
		m.Pooled.Each(func(name string, v float64) { f(name+"_"+m.Model, v) })
		f("n_"+m.Model, float64(m.Pooled.N))
	}
}

func span(time []int64, rows []int) features.Span {
	s := features.Span{Rows: len(rows)}
	if len(rows) > 0 {
		s.From, s.To = stamp(time[rows[0]]), stamp(time[rows[len(rows)-1]])
	}
	return s
}

func stamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }
