package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/pg"
	"pipe/stages/internal/release"
)

// intent is what is recorded before the registry is touched.
type intent struct {
	Target     target        `json:"target"`
	Proposal   *proposal     `json:"proposal"`
	Event      string        `json:"event"` // names the effect without the run; see eventKey
	At         time.Time     `json:"at"`
	By         string        `json:"by"`
	Run        string        `json:"run"`
	PlanDigest digest.Digest `json:"plan_digest"`
	Publisher  string        `json:"publisher"` // pipeline/environment/address
}

// eventKey is the idempotency key in the database. It has the run of the first attempt in it, because the database may
// outlive the journal: what another journal did is no reason not to act.
func (i intent) eventKey(number string) string {
	return i.Event + "-" + number + "-" + release.Key(i.Run, i.PlanDigest, i.Publisher)[:8]
}

// result is what became of the version.
type result struct {
	Status   string   `json:"status"`
	Created  bool     `json:"created"` // the row is this effect's to remove
	Reasons  []string `json:"reasons,omitempty"`
	Replaced string   `json:"replaced,omitempty"` // the version that was deployed before
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	p, err := r.propose(in)
	if err != nil {
		return err
	}
	t, err := r.target(env)
	if err != nil {
		return err
	}
	want := intent{Target: t, Proposal: p, Event: release.Key(name, t.identity(), p), At: env.Now().UTC(), By: env.Run.Actor,
		Run: env.Run.ID, PlanDigest: env.Run.PlanDigest,
		Publisher: env.Run.Pipeline + "/" + env.Run.Environment + "/" + env.Run.Node.String()}
	_, raw, err := release.Once(ctx, env.Journal, release.Effect{
		Base: release.Key(name, t, p), Intent: want,
		Holds: func(ctx context.Context, raw json.RawMessage) (bool, error) {
			var was result
			if err := json.Unmarshal(raw, &was); err != nil {
				return false, fmt.Errorf("the journal's record can't be read: %w", err)
			}
			return r.holds(ctx, env, t, p, was)
		},
		Act: func(ctx context.Context, key string, at stage.Attempt) (any, error) {
			var first intent
			if err := json.Unmarshal(at.Intent, &first); err != nil {
				return nil, fmt.Errorf("the journal's record can't be read: %w", err)
			}
			_, number, _ := strings.Cut(key, ".")
			return r.register(ctx, env, first, first.eventKey(number))
		},
	})
	if err != nil {
		return err
	}
	var res result
	if err := json.Unmarshal(raw, &res); err != nil {
		return err
	}
	return receipt(p, want.Event, res, in, out)
}

func receipt(p *proposal, event string, res result, in stage.Inputs, out *stage.Output) error {
	for metric, v := range p.Metrics {
		if err := out.Metric(metric, v); err != nil {
			return err
		}
	}
	details := map[string]string{"model_name": p.ModelName, "artifact_digest": string(p.ArtifactDigest)}
	if len(res.Reasons) > 0 {
		details["reasons"] = strings.Join(res.Reasons, "; ")
	}
	var files []artifact.File
	if model, err := in.Get("model"); err == nil {
		files = model.Artifact.Files
	}
	return release.Receipt{Target: name, Version: p.Version, Status: res.Status, Key: event, Files: files, Details: details}.
		Write(out, map[string]string{release.FactArtifactPath: p.ArtifactPath, release.FactEvent: event,
			"model_name": p.ModelName, "reasons": details["reasons"]})
}

// register does the effect.
func (r *runner) register(ctx context.Context, env stage.Env, first intent, key string) (any, error) {
	s, err := r.open(ctx, env, first.Target)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	var res result
	err = s.inTransaction(ctx, first.Proposal.ModelName, func(tx *sql.Tx) error {
		e := &effect{session: s, tx: tx, intent: first, key: key, pinned: env.Pinned, now: env.Now}
		var err error
		res, err = e.run(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("register version %s at %s: %w", first.Proposal.Version, first.Target, err)
	}
	return res, nil
}

// holds reports whether the registry still says of the version what the effect made it say.
func (r *runner) holds(ctx context.Context, env stage.Env, t target, p *proposal, was result) (bool, error) {
	if t.Path != "" {
		dir, err := env.Path(t.Path)
		if err != nil {
			return false, err
		}
		if _, err := os.Stat(filepath.Join(dir, "core.db")); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	s, err := r.open(ctx, env, t)
	if err != nil {
		return false, err
	}
	defer s.close()
	var status, content string
	err = s.db.QueryRowContext(ctx, "select status, artifact_digest from core.model_registry where model_version = $1 and model_name = $2",
		p.Version, p.ModelName).Scan(&status, &content)
	if errors.Is(err, sql.ErrNoRows) || pg.NoTable(err) {
		return false, nil
	}
	return status == was.Status && content == string(p.ArtifactDigest), s.clean(err)
}
