package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"pipe/engine/stage"
	"pipe/stages/internal/durable"
	"pipe/stages/internal/release"
)

// Inspect implements stage.Inspector: it hashes every file of the version that was published last.
func (r *runner) Inspect(_ context.Context, env stage.Env, last stage.Input) ([]string, error) {
	rec, err := release.ReadReceipt(last)
	if err != nil {
		return nil, err
	}
	root, err := env.Path(r.Root)
	if err != nil {
		return nil, err
	}
	at, dir := path.Join(filepath.ToSlash(r.Root), rec.Version), filepath.Join(root, rec.Version)
	if rec.Details["path"] != at {
		return nil, nil // published elsewhere: the configuration has changed
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return []string{at + ": it is gone"}, nil
	}
	var other *contentError
	if err := matches(dir, rec.Files); !errors.As(err, &other) {
		return nil, err
	}
	var found []string
	for _, d := range other.diffs {
		found = append(found, at+": "+d)
	}
	return found, nil
}

// setAside renames a version that somebody changed, so that it can be published again and be looked at.
func setAside(root, version string) error {
	for n := 1; n < 1000; n++ {
		aside := filepath.Join(root, fmt.Sprintf(".changed-%s-%d", version, n))
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		if err := os.Rename(filepath.Join(root, version), aside); err != nil {
			return err
		}
		return durable.SyncDir(root)
	}
	return fmt.Errorf("too many changed copies of version %s lie in the root: take them away", version)
}
