package features

import (
	"encoding/json"
	"fmt"

	"pipe/stages/features/scale"
)

// Clip bounds scaled features.
const Clip = 5.0

// Schema is feature_schema.json: what a model must be fed with. The features stage writes it without Scalers; the
// trainer adds those that it fitted, and inference uses that copy.
type Schema struct {
	Format     string         `json:"format"`
	Mode       string         `json:"mode"` // pair or single
	Symbols    []string       `json:"symbols"`
	Columns    []string       `json:"columns"` // the features, in the order that models use
	State      []string       `json:"state_columns"`
	Labels     []string       `json:"label_columns"`
	Windows    Params         `json:"windows"`
	Thresholds LabelParams    `json:"labels"`
	Scaling    Scaling        `json:"scaling"`
	Scalers    []scale.Scaler `json:"scalers,omitempty"`
	FittedOn   *Span          `json:"fitted_on,omitempty"` // the rows that the scalers have seen
}

// Scaling says how columns are scaled.
type Scaling struct {
	Method string  `json:"method"`
	Clip   float64 `json:"clip"`
}

// Span is a stretch of rows.
type Span struct {
	From string `json:"from"` // RFC 3339, inclusive
	To   string `json:"to"`
	Rows int    `json:"rows"`
}

const schemaFormat = "pipe.feature_schema/1"

// NewSchema describes a labelled set.
func NewSchema(s *Set, mode string, symbols []string, p Params, l LabelParams) Schema {
	return Schema{
		Format: schemaFormat, Mode: mode, Symbols: symbols, Columns: s.Features, State: s.State,
		Labels:  []string{AI1Label, AI1End, AI2Label, AI2End},
		Windows: p, Thresholds: l,
		Scaling: Scaling{Method: "median_mad", Clip: Clip},
	}
}

// JSON returns the schema as it is written.
func (s Schema) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// ReadSchema reads what JSON wrote.
func ReadSchema(b []byte) (Schema, error) {
	var s Schema
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("feature schema: %w", err)
	}
	if s.Format != schemaFormat {
		return s, fmt.Errorf("feature schema has format %q: this version reads %q; run the features stage again", s.Format, schemaFormat)
	}
	if len(s.Columns) == 0 || s.Scaling.Method != "median_mad" || !(s.Scaling.Clip > 0) {
		return s, fmt.Errorf("feature schema is damaged: it names no columns or no scaling")
	}
	return s, nil
}
