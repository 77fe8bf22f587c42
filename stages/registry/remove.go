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

	"pipe/engine/artifact"
	"pipe/engine/stage"
	"pipe/stages/internal/durable"
	"pipe/stages/internal/pg"
)

// Remove implements stage.Remover: it deletes the rows that this node made and records that, and takes SQLite files away
// that hold no version any more. Audit rows in PostgreSQL stay.
func (r *runner) Remove(ctx context.Context, env stage.Env, _ *artifact.Artifact) error {
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	for i := len(done) - 1; i >= 0; i-- {
		var was intent
		var res result
		if err := errors.Join(json.Unmarshal(done[i].Intent, &was), json.Unmarshal(done[i].Result, &res)); err != nil {
			return fmt.Errorf("the journal's record %s can't be read: %w", done[i].Key, err)
		}
		if err := r.take(ctx, env, done[i].Key, was, res); err != nil {
			return fmt.Errorf("remove version %s from the registry at %s: %w", was.Proposal.Version, was.Target, err)
		}
		if err := env.Journal.Undo(ctx, done[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// take takes one effect back.
func (r *runner) take(ctx context.Context, env stage.Env, key string, was intent, res result) error {
	dir := ""
	if was.Target.Path != "" {
		var err error
		if dir, err = env.Path(was.Target.Path); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, "core.db")); errors.Is(err, fs.ErrNotExist) {
			return durable.RemoveEmpty(dir, append([]string{env.WorkDir}, env.Roots...)...)
		}
	}
	s, err := r.open(ctx, env, was.Target)
	if err != nil {
		return err
	}
	defer s.close()
	if res.Created {
		err := s.inTransaction(ctx, was.Proposal.ModelName, func(tx *sql.Tx) error {
			now := was
			now.At, now.By, now.PlanDigest = env.Now().UTC(), env.Run.Actor, env.Run.PlanDigest
			e := &effect{session: s, tx: tx, intent: now, key: was.eventKey(key) + "@" + env.Run.ID, now: env.Now}
			return e.remove(ctx)
		})
		if err != nil && !pg.NoTable(err) {
			return err
		}
	}
	if dir == "" {
		return nil
	}
	return s.removeIfEmpty(ctx, env, dir)
}

// remove deletes the version if it is still what was registered.
func (e *effect) remove(ctx context.Context) error {
	p := e.intent.Proposal
	mine, err := e.read(ctx, "model_version = $1", p.Version)
	if err != nil || mine == nil || e.same(mine) != nil {
		return err
	}
	if _, err := e.tx.ExecContext(ctx, "delete from core.model_registry where model_version = $1", p.Version); err != nil {
		return err
	}
	return e.event(ctx, removed, p.Version, mine.Status, removed, "removed from the pipeline")
}

// removeIfEmpty deletes the SQLite files when no version is left, while no other process can write.
func (s *session) removeIfEmpty(ctx context.Context, env stage.Env, dir string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var left int
	if err := tx.QueryRowContext(ctx, "select count(*) from core.model_registry").Scan(&left); err != nil || left > 0 {
		return err
	}
	if err := s.remove(); err != nil {
		return err
	}
	return durable.RemoveEmpty(dir, append([]string{env.WorkDir}, env.Roots...)...)
}
