package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/stage"
	"pipe/stages/internal/durable"
	"pipe/stages/internal/release"
)

const name = "files"

// Type is the publish type "files".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Publish, Label: name, Rev: 1,
		Spec: stage.Schema{
			Doc: "Publishes artifacts as a directory of files, `root/<version>/`, with `checksums.json` and `SHA256SUMS`.\n\n" +
				"The directory appears whole or not at all. A version that exists with other content is refused. Nothing is ever " +
				"replaced and old versions are kept; `pipe destroy` removes the versions that this node made, as long as nobody changed them.",
			Attrs: append([]stage.Attr{
				{Name: "model", Type: stage.HandleType, Required: true, Doc: "The artifact whose files stand at the top of the version's directory."},
				{Name: "extra", Type: stage.HandlesType, Handles: true,
					Doc: "More artifacts, such as evidence: a map from the name of a subdirectory to a reference."},
				{Name: "root", Type: cty.String, Required: true, Path: true, Doc: "The directory that holds one directory for each version."},
			}, release.VersionAttrs()...),
			Example: `publish "files" "models" {
  model = stage.model
  extra = { backtest = stage.backtest }
  root  = "storage/models"
}`,
		},
		New: newRunner,
	}
}

type config struct {
	Model       *stage.Handle `cty:"model"`
	Extra       cty.Value     `cty:"extra"`
	Root        string        `cty:"root"`
	Version     *string       `cty:"version"`
	VersionFact string        `cty:"version_fact"`
}

func newRunner(c config) (stage.Runner, error) {
	if err := release.CheckVersion(c.Version); err != nil {
		return nil, err
	}
	if c.Root == "" {
		return nil, stage.Attrf("root", "root is empty: name the directory that holds the versions")
	}
	if x := c.Extra; x != cty.NilVal && !x.IsNull() && !x.Type().IsObjectType() && !x.Type().IsMapType() {
		return nil, stage.Attrf("extra", "extra must be a map, as in extra = { backtest = stage.backtest }: each key names a subdirectory")
	}
	return &runner{c}, nil
}

type runner struct{ config }

var (
	_ stage.Runner    = (*runner)(nil)
	_ stage.Remover   = (*runner)(nil)
	_ stage.Inspector = (*runner)(nil)
)

// intent is what is recorded before anything is written. It holds all that the directory's content is made from, so that
// a repeated attempt writes the same bytes.
type intent struct {
	Root     string          `json:"root"`
	Version  string          `json:"version"`
	Files    []artifact.File `json:"files"`
	Metadata metadata        `json:"metadata"`
}

type result struct {
	Path    string `json:"path"`    // root/version, as written in the plan file
	Created bool   `json:"created"` // false: it existed with equal content, made by somebody else
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	model, err := in.Get("model")
	if err != nil {
		return err
	}
	version, err := release.Version(r.Version, r.VersionFact, model)
	if err != nil {
		return err
	}
	sources, err := collect(model, in.Group("extra"))
	if err != nil {
		return err
	}
	root, err := env.Path(r.Root)
	if err != nil {
		return err
	}
	files := listed(sources)
	base := release.Key(name, path.Clean(filepath.ToSlash(r.Root)), version, files)
	want := intent{Root: r.Root, Version: version, Files: files, Metadata: metadataOf(env, version, base)}
	key, _, err := release.Once(ctx, env.Journal, release.Effect{
		Base: base, Intent: want,
		Holds: func(context.Context, json.RawMessage) (bool, error) {
			_, err := os.Lstat(filepath.Join(root, version))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil // taken away by hand: it is published again
			}
			if err == nil {
				err = matches(filepath.Join(root, version), files)
			}
			var other *contentError
			if env.Repair && errors.As(err, &other) {
				return false, setAside(root, version)
			}
			return err == nil, err
		},
		Act: func(ctx context.Context, _ string, at stage.Attempt) (any, error) {
			var first intent
			if err := json.Unmarshal(at.Intent, &first); err != nil {
				return nil, fmt.Errorf("the journal's record can't be read: %w", err)
			}
			return publish(ctx, env, root, first, sources)
		},
	})
	if err != nil {
		return err
	}
	env.Log.Debug("published", "version", version, "key", key)
	return receipt(r.Root, version, base, files, out)
}

func receipt(root, version, key string, files []artifact.File, out *stage.Output) error {
	at := path.Join(filepath.ToSlash(root), version)
	return release.Receipt{Target: name, Version: version, Status: "published", Key: key, Files: files,
		Details: map[string]string{"path": at}}.Write(out, map[string]string{release.FactArtifactPath: at})
}

// publish writes the version's directory, unless it exists with equal content.
func publish(ctx context.Context, env stage.Env, root string, want intent, sources []source) (any, error) {
	if err := durable.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("create the root %s: %w", want.Root, err)
	}
	temporary, err := sweep(root, env.Run)
	if err != nil {
		return nil, err
	}
	res := result{Path: path.Join(filepath.ToSlash(want.Root), want.Version)}
	target := filepath.Join(root, want.Version)
	for range 2 { // the second time round, somebody else was faster
		if _, err := os.Lstat(target); err == nil {
			if err := matches(target, want.Files); err != nil {
				return nil, err
			}
			res.Created, err = madeBy(target, want.Metadata.Publisher)
			return res, err
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := write(ctx, temporary, want, sources); err != nil {
			_ = os.RemoveAll(temporary)
			return nil, fmt.Errorf("write version %s: %w", want.Version, err)
		}
		err := os.Rename(temporary, target)
		if err == nil {
			res.Created = true
			return res, durable.SyncDir(root)
		}
		_ = os.RemoveAll(temporary)
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s keeps coming and going: somebody else is writing there", res.Path)
}

// sweep removes what a killed attempt of this node left below root, and returns where it may write.
func sweep(root string, run stage.RunInfo) (temporary string, err error) {
	prefix := temporaryName(run)
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				return "", err
			}
		}
	}
	return filepath.Join(root, prefix), nil
}

func temporaryName(run stage.RunInfo) string { return ".publish-" + release.Key(publisher(run))[:12] }

func publisher(run stage.RunInfo) string {
	return run.Pipeline + "/" + run.Environment + "/" + run.Node.String()
}
