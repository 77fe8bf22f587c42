package registry

import (
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/stages/internal/release"
)

const name = "model_registry"

// Type is the publish type "model_registry".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Publish, Label: name, Rev: 1,
		Spec: stage.Schema{
			Doc: "Registers a model version and makes it the deployed one, if it may be adopted. Otherwise it is registered as " +
				"`rejected` with the reasons, and what is deployed stays.\n\n" +
				"The version that was deployed when the plan was made must still be the deployed one; if not, the publish is refused " +
				"and the plan is stale. Without `database` the tables are kept in SQLite files below `path`.",
			Attrs: append(attrs(), release.VersionAttrs()...),
			Blocks: []stage.Block{{Name: "adoption", Attrs: adoptionAttrs(),
				Doc: "What a version must reach to be deployed, from the metrics of `evidence` and `model`. A metric that is asked " +
					"for and missing blocks adoption. Without the block every version is deployed."}},
			Example: `publish "model_registry" "core" {
  model    = stage.model
  evidence = [stage.backtest]
  files    = publish.models
  database = secret("POSTGRES_URL")
  adoption {
    min_sharpe   = 1.2
    max_drawdown = 0.12
    min_trades   = 150
  }
}`,
		},
		New: newRunner,
	}
}

func attrs() []stage.Attr {
	text := func(name, doc string) stage.Attr { return stage.Attr{Name: name, Type: cty.String, Doc: doc} }
	return []stage.Attr{
		{Name: "model", Type: stage.HandleType, Required: true, Doc: "The model to register."},
		{Name: "evidence", Type: stage.HandlesType, Handles: true,
			Doc: "Artifacts whose metrics and parameters speak for the model. Where a name occurs twice, the first counts, and the model comes last."},
		{Name: "files", Type: stage.HandleType, Doc: "The `files` publish of the model: where its files lie."},
		{Name: "database", Type: stage.SecretType, Doc: "The URL of a PostgreSQL database, by the name of the environment variable that holds it."},
		{Name: "path", Type: cty.String, Path: true, Default: cty.StringVal("storage/registry"),
			Doc: "The directory of the SQLite files `core.db` and `audit.db`, where `database` is not given."},
		{Name: "model_name", Type: cty.String, Default: cty.StringVal("default"), Doc: "The model that this is a version of. One version of each is deployed."},
		text("artifact_path", "Where the model's files lie; by default what `files` says."),
		text("dataset_index_path", "The catalogue that the model was trained from; by default the fact `dataset_index_path`."),
		{Name: "theta1", Type: cty.Number, Doc: "By default from the fact `theta1`, or `params.yaml` of the evidence or the model."},
		{Name: "theta2", Type: cty.Number, Doc: "By default from the fact `theta2`, or `params.yaml` of the evidence or the model."},
		{Name: "seed", Type: cty.Number, Doc: "By default from the fact `seed`, or `params.yaml` of the model or the evidence."},
		text("code_hash", "By default from the fact `code_hash`."),
		text("data_hash", "By default from the fact `data_hash`."),
		text("notes", "A note for the row."),
		text("rollback_reason", "Set it when an earlier version is put back: the version deployed until then becomes `rolled_back` with this reason. The version must be registered."),
		{Name: "statement_timeout_ms", Type: cty.Number, Default: cty.NumberIntVal(30000), Doc: "How long PostgreSQL may take for one statement; 0 for no limit."},
	}
}

type config struct {
	Model              *stage.Handle `cty:"model"`
	Evidence           cty.Value     `cty:"evidence"`
	Files              *stage.Handle `cty:"files"`
	Database           *stage.Secret `cty:"database"`
	Path               string        `cty:"path"`
	ModelName          string        `cty:"model_name"`
	ArtifactPath       *string       `cty:"artifact_path"`
	DatasetIndexPath   *string       `cty:"dataset_index_path"`
	Theta1             *float64      `cty:"theta1"`
	Theta2             *float64      `cty:"theta2"`
	Seed               *int64        `cty:"seed"`
	CodeHash           *string       `cty:"code_hash"`
	DataHash           *string       `cty:"data_hash"`
	Notes              *string       `cty:"notes"`
	RollbackReason     *string       `cty:"rollback_reason"`
	StatementTimeoutMS int64         `cty:"statement_timeout_ms"`
	Version            *string       `cty:"version"`
	VersionFact        string        `cty:"version_fact"`
	Adoption           *adoption     `cty:"adoption"`
}

func newRunner(c config) (stage.Runner, error) {
	if err := release.CheckVersion(c.Version); err != nil {
		return nil, err
	}
	switch {
	case c.ModelName == "":
		return nil, stage.Attrf("model_name", "model_name is empty: name the model")
	case c.Path == "":
		return nil, stage.Attrf("path", "path is empty: name the directory of the SQLite files")
	case c.StatementTimeoutMS < 0:
		return nil, stage.Attrf("statement_timeout_ms", "statement_timeout_ms is %d: it must be 0 or more", c.StatementTimeoutMS)
	case c.RollbackReason != nil && *c.RollbackReason == "":
		return nil, stage.Attrf("rollback_reason", "rollback_reason is empty: say why the deployed version is taken back")
	}
	if err := c.Adoption.check(); err != nil {
		return nil, err
	}
	return &runner{c}, nil
}

type runner struct{ config }

var (
	_ stage.Runner  = (*runner)(nil)
	_ stage.Remover = (*runner)(nil)
	_ stage.Pinner  = (*runner)(nil)
)
