package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	"pipe/stages/internal/durable"
)

// Remove implements stage.Remover: it takes away every version that this node made, also under an earlier root. A version
// that was changed since is kept, and an error.
func (r *runner) Remove(ctx context.Context, env stage.Env, _ *artifact.Artifact) error {
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	var kept []error
	for i := len(done) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		var was intent
		var res result
		if err := errors.Join(json.Unmarshal(done[i].Intent, &was), json.Unmarshal(done[i].Result, &res)); err != nil {
			return fmt.Errorf("the journal's record %s can't be read: %w", done[i].Key, err)
		}
		root, err := env.Path(was.Root)
		if err != nil {
			return err
		}
		if res.Created {
			err := removeVersion(root, was, env.Run)
			var other *contentError
			if errors.As(err, &other) {
				kept = append(kept, fmt.Errorf("%s was changed after it was published (%s): it is kept; remove it by hand if it is not needed",
					res.Path, other.diffs[0]))
				continue
			}
			if err != nil {
				return fmt.Errorf("remove %s: %w", res.Path, err)
			}
		}
		if err := durable.RemoveEmpty(root, append([]string{env.WorkDir}, env.Roots...)...); err != nil {
			return err
		}
		if err := env.Journal.Undo(ctx, done[i].Key); err != nil {
			return err
		}
	}
	return errors.Join(kept...)
}

// removeVersion takes the version away in one step, by renaming it, and then its files.
func removeVersion(root string, was intent, run stage.RunInfo) error {
	if _, err := os.Lstat(root); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	temporary, err := sweep(root, run)
	if err != nil {
		return err
	}
	target := filepath.Join(root, was.Version)
	if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := matches(target, was.Files); err != nil {
		return err
	}
	if err := os.Rename(target, temporary); err != nil {
		return err
	}
	if err := durable.SyncDir(root); err != nil {
		return err
	}
	return os.RemoveAll(temporary)
}
