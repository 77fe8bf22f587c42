package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"

	"go.yaml.in/yaml/v3"

	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/release"
)

// proposal is the version that is to be registered. It is a function of configuration and inputs alone, so that its
// digest can name the effect.
type proposal struct {
	ModelName      string        `json:"model_name"`
	Version        string        `json:"model_version"`
	ArtifactDigest digest.Digest `json:"artifact_digest"`
	description
	RollbackReason string    `json:"rollback_reason,omitempty"`
	Adoption       *adoption `json:"adoption,omitempty"`
}

// description is what the registry says of a version and may say anew; the version's content is the artifact's digest.
// The JSON names are those of the columns.
type description struct {
	ArtifactPath      string             `json:"artifact_path,omitempty"`
	DatasetIndexPath  string             `json:"dataset_index_path,omitempty"`
	FeatureSchemaPath string             `json:"feature_schema_path,omitempty"`
	ModelAI1Path      string             `json:"model_ai1_path,omitempty"`
	ModelAI2Path      string             `json:"model_ai2_path,omitempty"`
	ParamsPath        string             `json:"params_path,omitempty"`
	Metrics           map[string]float64 `json:"metrics_json"`
	Theta1            *float64           `json:"theta1,omitempty"`
	Theta2            *float64           `json:"theta2,omitempty"`
	CodeHash          string             `json:"code_hash,omitempty"`
	DataHash          string             `json:"data_hash,omitempty"`
	Seed              *int64             `json:"seed,omitempty"`
	Notes             string             `json:"notes,omitempty"`
}

// propose collects the version from the configuration, facts, metrics and parameter files.
func (r *runner) propose(in stage.Inputs) (*proposal, error) {
	model, err := in.Get("model")
	if err != nil {
		return nil, err
	}
	version, err := release.Version(r.Version, r.VersionFact, model)
	if err != nil {
		return nil, err
	}
	evidence := in.Group("evidence")
	modelFirst := append(stage.Inputs{model}, evidence...)
	evidenceFirst := append(append(stage.Inputs{}, evidence...), model)
	said := description{
		ArtifactPath:     either(r.ArtifactPath, release.Fact(append(in.Group("files"), model), release.FactArtifactPath)),
		DatasetIndexPath: either(r.DatasetIndexPath, release.Fact(modelFirst, "dataset_index_path")),
		CodeHash:         either(r.CodeHash, release.Fact(modelFirst, "code_hash")),
		DataHash:         either(r.DataHash, release.Fact(modelFirst, "data_hash")),
		Notes:            either(r.Notes, ""),
		Metrics:          map[string]float64{}, Theta1: r.Theta1, Theta2: r.Theta2, Seed: r.Seed}
	p := &proposal{ModelName: r.ModelName, Version: version, ArtifactDigest: model.Artifact.Digest(), description: said,
		RollbackReason: either(r.RollbackReason, ""), Adoption: r.Adoption}
	for _, i := range evidenceFirst {
		for name, v := range i.Artifact.Metrics {
			if _, ok := p.Metrics[name]; !ok {
				p.Metrics[name] = v
			}
		}
	}
	p.paths(model)
	return p, p.parameters(evidenceFirst, modelFirst)
}

func either(configured *string, otherwise string) string {
	if configured != nil {
		return *configured
	}
	return otherwise
}

// paths names the published files that the registry has a column for.
func (p *proposal) paths(model stage.Input) {
	if p.ArtifactPath == "" {
		return
	}
	for file, column := range map[string]*string{"feature_schema.json": &p.FeatureSchemaPath, "model_ai1.json": &p.ModelAI1Path,
		"model_ai2.json": &p.ModelAI2Path, "params.yaml": &p.ParamsPath} {
		if _, ok := model.Artifact.File(file); ok {
			*column = path.Join(p.ArtifactPath, file)
		}
	}
}

// parameters fills in what is not configured, from facts and then params.yaml.
func (p *proposal) parameters(evidenceFirst, modelFirst stage.Inputs) error {
	for _, one := range []struct {
		name string
		to   **float64
	}{{"theta1", &p.Theta1}, {"theta2", &p.Theta2}} {
		if *one.to != nil {
			continue
		}
		v, ok, err := parameter(evidenceFirst, one.name)
		if err != nil {
			return err
		}
		if ok {
			*one.to = &v
		}
	}
	if p.Seed == nil {
		v, ok, err := parameter(modelFirst, "seed")
		if err != nil {
			return err
		}
		if ok {
			seed := int64(v)
			if float64(seed) != v {
				return fmt.Errorf("the seed %v is no whole number", v)
			}
			p.Seed = &seed
		}
	}
	return nil
}

// parameter looks for a number in the facts and in params.yaml of each input.
func parameter(in stage.Inputs, name string) (float64, bool, error) {
	for _, i := range in {
		if fact := i.Artifact.Facts[name]; fact != "" {
			v, err := strconv.ParseFloat(fact, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, false, fmt.Errorf("the fact %q of the input %q is %q, which is no number", name, i.Label, fact)
			}
			return v, true, nil
		}
		raw, err := os.ReadFile(i.Path("params.yaml"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, false, err
		}
		var all map[string]any
		if err := yaml.Unmarshal(raw, &all); err != nil {
			return 0, false, fmt.Errorf("params.yaml of the input %q: %w", i.Label, err)
		}
		switch v := all[name].(type) {
		case nil:
		case int:
			return float64(v), true, nil
		case float64:
			return v, true, nil
		default:
			return 0, false, fmt.Errorf("%s in params.yaml of the input %q is %v, which is no number", name, i.Label, v)
		}
	}
	return 0, false, nil
}
