package train

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"pipe/stages/features"
)

// File is one file of the model artifact.
type File struct {
	Name    string
	Content []byte
}

// Names of the model's files.
const (
	AI1File         = "model_ai1.json"
	AI2File         = "model_ai2.json"
	SchemaFile      = "feature_schema.json"
	ParamsFile      = "params.yaml"
	MetricsFile     = "metrics.json"
	CardFile        = "model_card.md"
	PredictionsFile = "oof_predictions.parquet"
)

// Params is params.yaml: what an inference process needs to act on the two scores.
type Params struct {
	Theta1     float64     `yaml:"theta1"`
	Theta2     float64     `yaml:"theta2"`
	ZEntry     float64     `yaml:"z_entry"`
	ZExit      float64     `yaml:"z_exit"`
	DeltaZEMA  float64     `yaml:"delta_z_ema"`
	AI1Horizon int         `yaml:"ai1_horizon"`
	AI2Horizon int         `yaml:"ai2_horizon"`
	AI1        ModelParams `yaml:"ai1_params"`
	AI2        ModelParams `yaml:"ai2_params"`
}

// Files returns the artifact's files but for the predictions, and the model's version.
//
// The version is the time of the data's last bar and eight hex digits of the SHA-256 of what sha256sum prints for the
// four files that inference reads, in the order model_ai1.json, model_ai2.json, feature_schema.json, params.yaml. The
// metrics and the card name the version and so are not part of it.
func (r *Result) Files() (files []File, version string, err error) {
	ai1, err := r.AI1.JSON()
	if err != nil {
		return nil, "", err
	}
	ai2, err := r.AI2.JSON()
	if err != nil {
		return nil, "", err
	}
	schema, err := r.Schema.JSON()
	if err != nil {
		return nil, "", err
	}
	params, err := yaml.Marshal(params(r.settings, r.Schema.Thresholds))
	if err != nil {
		return nil, "", err
	}
	files = []File{{AI1File, ai1}, {AI2File, ai2}, {SchemaFile, schema}, {ParamsFile, params}}
	version = Version(r.AsOf, files)
	r.Report.ModelVersion = version
	metrics, err := r.Report.JSON()
	if err != nil {
		return nil, "", err
	}
	return append(files, File{MetricsFile, metrics}, File{CardFile, []byte(r.card(version))}), version, nil
}

func params(s Settings, l features.LabelParams) Params {
	return Params{Theta1: s.Theta1, Theta2: s.Theta2, ZEntry: l.ZEntry, ZExit: l.ZExit, DeltaZEMA: l.DeltaZEMA,
		AI1Horizon: l.AI1Horizon, AI2Horizon: l.AI2Horizon, AI1: s.AI1, AI2: s.AI2}
}

// Version names a model by the time of its data and its content.
func Version(asOf int64, files []File) string {
	var list strings.Builder
	for _, f := range files {
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(f.Content), f.Name)
	}
	sum := sha256.Sum256([]byte(list.String()))
	return time.Unix(asOf, 0).UTC().Format("20060102_1504") + "-" + hex.EncodeToString(sum[:4])
}
