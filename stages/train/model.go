package train

import (
	"encoding/json"
	"fmt"

	"pipe/stages/features"
	"pipe/stages/train/isotonic"
	"pipe/stages/train/logit"
)

// Model is model_ai1.json or model_ai2.json: all that inference needs beside the scalers of feature_schema.json.
type Model struct {
	Format       string          `json:"format"`
	Name         string          `json:"model"`
	Kind         string          `json:"kind"`
	Columns      []string        `json:"columns"`
	Weights      []float64       `json:"weights"` // of the scaled columns
	Intercept    float64         `json:"intercept"`
	Calibration  *isotonic.Curve `json:"calibration"` // null: the probability is used as it is
	Params       ModelParams     `json:"params"`
	ClassWeights ClassWeights    `json:"class_weights"`
	Train        TrainSpan       `json:"trained_on"`
}

// ClassWeights are what a sample of each class counted for.
type ClassWeights struct {
	Negative float64 `json:"negative"`
	Positive float64 `json:"positive"`
}

const modelFormat = "pipe.model/1"

// Score is the calibrated probability for one bar, given its unscaled features in the order of the schema's columns.
func (m Model) Score(s features.Schema, values []float64) (float64, error) {
	if len(values) != len(m.Weights) || len(s.Scalers) != len(m.Weights) {
		return 0, fmt.Errorf("model %s has %d weights: %d features and %d scalers don't fit", m.Name, len(m.Weights), len(values), len(s.Scalers))
	}
	x := make([]float64, len(values))
	for i, v := range values {
		if s.Scalers[i].Column != m.Columns[i] {
			return 0, fmt.Errorf("model %s has %q as column %d, the schema has %q", m.Name, m.Columns[i], i+1, s.Scalers[i].Column)
		}
		x[i] = s.Scalers[i].Apply(v, s.Scaling.Clip)
	}
	p := logit.Probability(m.Weights, m.Intercept, x)
	if m.Calibration != nil {
		p = m.Calibration.At(p)
	}
	return p, nil
}

// JSON returns the model as it is written.
func (m Model) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// ReadModel reads what JSON wrote.
func ReadModel(b []byte) (Model, error) {
	var m Model
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("model: %w", err)
	}
	if m.Format != modelFormat || len(m.Weights) != len(m.Columns) || len(m.Weights) == 0 {
		return m, fmt.Errorf("model: format %q with %d weights for %d columns can't be read: this version reads %q", m.Format, len(m.Weights), len(m.Columns), modelFormat)
	}
	return m, nil
}
