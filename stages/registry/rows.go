package registry

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"pipe/engine/digest"
)

// read returns the one version that matches, nil if none does. Its row is held until the transaction ends.
func (e *effect) read(ctx context.Context, where string, args ...any) (*row, error) {
	var r row
	var metrics string
	var theta1, theta2 sql.NullFloat64
	var seed sql.NullInt64
	err := e.tx.QueryRowContext(ctx, `select model_version, model_name, status, artifact_digest, coalesce(artifact_path, ''),
		coalesce(dataset_index_path, ''), coalesce(feature_schema_path, ''), coalesce(model_ai1_path, ''), coalesce(model_ai2_path, ''),
		coalesce(params_path, ''), metrics_json, theta1, theta2, coalesce(code_hash, ''), coalesce(data_hash, ''), seed, notes
		from core.model_registry where `+where+e.forUpdate, args...).Scan(&r.Version, &r.ModelName, &r.Status, &r.ArtifactDigest,
		&r.ArtifactPath, &r.DatasetIndexPath, &r.FeatureSchemaPath, &r.ModelAI1Path, &r.ModelAI2Path, &r.ParamsPath, &metrics,
		&theta1, &theta2, &r.CodeHash, &r.DataHash, &seed, &r.Notes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Metrics, err = numbers(metrics); err != nil {
		return nil, fmt.Errorf("metrics_json of version %s: %w", r.Version, err)
	}
	if theta1.Valid {
		r.Theta1 = &theta1.Float64
	}
	if theta2.Valid {
		r.Theta2 = &theta2.Float64
	}
	if seed.Valid {
		r.Seed = &seed.Int64
	}
	return &r, nil
}

// numbers reads the numbers of metrics_json; somebody else's rows may hold more than numbers.
func numbers(metrics string) (map[string]float64, error) {
	var all map[string]any
	if err := json.Unmarshal([]byte(metrics), &all); err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for k, v := range all {
		if f, ok := v.(float64); ok {
			m[k] = f
		}
	}
	return m, nil
}

// event appends to the audit table. what tells the events of one effect apart.
func (e *effect) event(ctx context.Context, what, version, from, to, reason string) error {
	_, err := e.tx.ExecContext(ctx, `insert into audit.model_registry_events (model_version, model_name, from_status, to_status,
		at, by, plan_digest, reason, idempotency_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		version, e.intent.Proposal.ModelName, null(from), to, e.at(e.intent.At), e.intent.By, string(e.intent.PlanDigest), reason, e.key+"/"+what)
	return err
}

// recordRun says that the effect happened. Its key is what a repeated attempt looks for.
func (e *effect) recordRun(ctx context.Context, res result) error {
	p := e.intent.Proposal
	metrics, err := digest.Canonical(p.Metrics)
	if err != nil {
		return err
	}
	_, err = e.tx.ExecContext(ctx, `insert into audit.retrain_runs (run_id, model_version, model_name, plan_digest, started_at,
		finished_at, outcome, metrics_json, idempotency_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.intent.Run, p.Version, p.ModelName, string(e.intent.PlanDigest), e.at(e.intent.At), e.at(e.now()), res.Status, string(metrics), e.key)
	return err
}

func differing(a, b map[string]json.RawMessage) []string {
	var names []string
	for name, v := range a {
		if !bytes.Equal(v, b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
