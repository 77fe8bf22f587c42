package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pipe/engine/digest"
	"pipe/engine/stage"
)

// The states of a version.
const (
	candidate  = "candidate"
	approved   = "approved"
	rejected   = "rejected"
	deployed   = "deployed"
	rolledBack = "rolled_back"
	removed    = "removed" // only in events: the row is gone
)

// effect is one change of the registry, in one transaction.
type effect struct {
	*session
	tx     *sql.Tx
	intent intent
	key    string
	pinned string // the version that was deployed when the plan was made
	now    func() time.Time
}

// row is a version as the registry has it.
type row struct {
	Version, ModelName, Status string
	ArtifactDigest             string
	description
}

// run registers the proposal and deploys or rejects it.
func (e *effect) run(ctx context.Context) (result, error) {
	if res, ok, err := e.before(ctx); ok || err != nil {
		return res, err
	}
	p := e.intent.Proposal
	present, err := e.read(ctx, "model_name = $1 and status = 'deployed'", p.ModelName)
	if err != nil {
		return result{}, err
	}
	if err := e.compare(present); err != nil {
		return result{}, err
	}
	mine, err := e.read(ctx, "model_version = $1", p.Version)
	if err != nil {
		return result{}, err
	}
	var res result
	if mine == nil {
		if mine, err = e.create(ctx); err != nil {
			return result{}, err
		}
		res.Created = true
	} else if err := e.same(mine); err != nil {
		return result{}, err
	}
	res.Status, res.Reasons = e.decide(mine, present)
	if res.Status == deployed && mine.Status != deployed && present != nil {
		if err := e.replace(ctx, present); err != nil {
			return result{}, err
		}
		res.Replaced = present.Version
	}
	if err := e.settle(ctx, mine, res); err != nil {
		return result{}, err
	}
	return res, e.recordRun(ctx, res)
}

// before looks for this very effect: the process may have died after the commit.
func (e *effect) before(ctx context.Context) (res result, found bool, err error) {
	err = e.tx.QueryRowContext(ctx, "select outcome from audit.retrain_runs where idempotency_key = $1", e.key).Scan(&res.Status)
	if errors.Is(err, sql.ErrNoRows) {
		return res, false, nil
	}
	if err != nil {
		return res, false, err
	}
	var events int
	err = e.tx.QueryRowContext(ctx, "select count(*) from audit.model_registry_events where idempotency_key = $1", e.key+"/registered").Scan(&events)
	res.Created = events > 0
	if err == nil && res.Status == rejected {
		var reason string
		err = e.tx.QueryRowContext(ctx, `select reason from audit.model_registry_events where model_version = $1 and to_status = 'rejected'
			order by event_id desc limit 1`, e.intent.Proposal.Version).Scan(&reason)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		if reason != "" {
			res.Reasons = strings.Split(reason, "; ")
		}
	}
	return res, true, err
}

// compare refuses if another version was deployed since the plan was made.
func (e *effect) compare(present *row) error {
	now := ""
	if present != nil {
		now = present.Version
	}
	if now == e.pinned || now == e.intent.Proposal.Version {
		return nil
	}
	return fmt.Errorf("the deployed version of %q %w: it was %s and is %s; plan again, and review what would be replaced",
		e.intent.Proposal.ModelName, stage.ErrStale, orNone(e.pinned), orNone(now))
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// same refuses a version that is registered with other content.
func (e *effect) same(mine *row) error {
	p := e.intent.Proposal
	if mine.ModelName != p.ModelName {
		return stage.Permanent(fmt.Errorf("version %s is registered for the model %q and not %q: a version belongs to one model", p.Version, mine.ModelName, p.ModelName))
	}
	if mine.ArtifactDigest != string(p.ArtifactDigest) {
		return stage.Permanent(fmt.Errorf("version %s is registered with other content (%s, and this is %s): a version never changes; publish under another version",
			p.Version, digest.Digest(mine.ArtifactDigest).Short(), p.ArtifactDigest.Short()))
	}
	return nil
}

// create registers the version as a candidate.
func (e *effect) create(ctx context.Context) (*row, error) {
	p := e.intent.Proposal
	if p.RollbackReason != "" {
		return nil, fmt.Errorf("version %s is not registered, so nothing can be rolled back to it: remove rollback_reason to publish a new version", p.Version)
	}
	metrics, err := digest.Canonical(p.Metrics)
	if err != nil {
		return nil, err
	}
	_, err = e.tx.ExecContext(ctx, `insert into core.model_registry (model_version, model_name, status, created_at, created_by,
		artifact_digest, metrics_json, plan_digest) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		p.Version, p.ModelName, candidate, e.at(e.intent.At), e.intent.By, string(p.ArtifactDigest), string(metrics), string(e.intent.PlanDigest))
	if err != nil {
		return nil, err
	}
	mine := &row{Version: p.Version, ModelName: p.ModelName, Status: candidate, ArtifactDigest: string(p.ArtifactDigest)}
	return mine, e.event(ctx, "registered", p.Version, "", candidate, "")
}

// decide says what becomes of the version, and why if it is rejected.
func (e *effect) decide(mine, present *row) (status string, reasons []string) {
	p := e.intent.Proposal
	if mine.Status == deployed || mine.Status == approved || p.RollbackReason != "" {
		return deployed, nil
	}
	var against map[string]float64
	if present != nil {
		against = present.Metrics
	}
	if reasons = p.Adoption.reasons(p.Metrics, against); len(reasons) > 0 {
		return rejected, reasons
	}
	return deployed, nil
}

// replace takes the deployed version out of its place.
func (e *effect) replace(ctx context.Context, present *row) error {
	p := e.intent.Proposal
	status, reason, notes := approved, "replaced by "+p.Version, present.Notes
	if p.RollbackReason != "" {
		status, reason = rolledBack, p.RollbackReason
		notes = join("\n", notes, "rolled back to "+p.Version+": "+p.RollbackReason)
	}
	if _, err := e.tx.ExecContext(ctx, "update core.model_registry set status = $1, notes = $2 where model_version = $3",
		status, notes, present.Version); err != nil {
		return err
	}
	return e.event(ctx, "replaced", present.Version, deployed, status, reason)
}

// settle writes the status and the description, and an event if anything is new.
func (e *effect) settle(ctx context.Context, mine *row, res result) error {
	p := e.intent.Proposal
	said := p.description
	reason := strings.Join(res.Reasons, "; ")
	if reason != "" {
		said.Notes = join("\n", said.Notes, "rejected: "+reason)
	}
	if p.RollbackReason != "" && mine.Status != deployed {
		reason = "rollback: " + p.RollbackReason
	}
	changed, err := differences(mine.description, said)
	if err != nil {
		return err
	}
	if mine.Status == res.Status && len(changed) == 0 {
		return nil
	}
	if mine.Status == res.Status && reason == "" {
		reason = "described anew: " + strings.Join(changed, ", ")
	}
	if err := e.write(ctx, said, res.Status); err != nil {
		return err
	}
	return e.event(ctx, "settled", p.Version, mine.Status, res.Status, reason)
}

// write updates the version's row.
func (e *effect) write(ctx context.Context, d description, status string) error {
	metrics, err := digest.Canonical(d.Metrics)
	if err != nil {
		return err
	}
	_, err = e.tx.ExecContext(ctx, `update core.model_registry set status = $1, artifact_path = $2, dataset_index_path = $3,
		feature_schema_path = $4, model_ai1_path = $5, model_ai2_path = $6, params_path = $7, metrics_json = $8, theta1 = $9,
		theta2 = $10, code_hash = $11, data_hash = $12, seed = $13, plan_digest = $14, notes = $15 where model_version = $16`,
		status, null(d.ArtifactPath), null(d.DatasetIndexPath), null(d.FeatureSchemaPath), null(d.ModelAI1Path), null(d.ModelAI2Path),
		null(d.ParamsPath), string(metrics), d.Theta1, d.Theta2, null(d.CodeHash), null(d.DataHash), d.Seed,
		string(e.intent.PlanDigest), d.Notes, e.intent.Proposal.Version)
	return err
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func join(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}

// differences lists the columns in which two descriptions differ, sorted.
func differences(a, b description) ([]string, error) {
	var columns [2]map[string]json.RawMessage
	for i, d := range []description{a, b} {
		raw, err := digest.Canonical(d)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &columns[i]); err != nil {
			return nil, err
		}
	}
	return differing(columns[0], columns[1]), nil
}
