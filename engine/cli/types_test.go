package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// testTypes are real types, as small as they can be: tables are CSV files.
func testTypes() []stage.Type {
	text := func(name string) stage.Attr { return stage.Attr{Name: name, Type: cty.String} }
	path := func(name string) stage.Attr { return stage.Attr{Name: name, Type: cty.String, Path: true} }
	needed := func(a stage.Attr) stage.Attr { a.Required = true; return a }
	source := stage.Attr{Name: "source", Type: stage.HandleType}
	return []stage.Type{
		&stage.Def[fileConfig]{Of: addr.Input, Label: "file", Rev: 1,
			Spec: stage.Schema{Table: true, Attrs: []stage.Attr{needed(path("path")), {Name: "format", Type: cty.String, OneOf: []string{"csv"}}}},
			New:  func(c fileConfig) (stage.Runner, error) { return &c, nil }},
		&stage.Def[joinConfig]{Of: addr.Stage, Label: "join", Rev: 1,
			Spec: stage.Schema{Table: true, Attrs: []stage.Attr{{Name: "inputs", Type: stage.HandlesType, Handles: true, Required: true},
				{Name: "limit", Type: cty.Number}}},
			New: func(c joinConfig) (stage.Runner, error) { return &c, nil }},
		&stage.Def[linesConfig]{Of: addr.Stage, Label: "lines", Rev: 1,
			Spec: stage.Schema{Attrs: []stage.Attr{needed(text("text")), source}},
			New:  func(c linesConfig) (stage.Runner, error) { return &c, nil }},
		&stage.Def[failConfig]{Of: addr.Stage, Label: "fail", Rev: 1,
			Spec: stage.Schema{Attrs: []stage.Attr{needed(text("message")), source}},
			New:  func(c failConfig) (stage.Runner, error) { return &c, nil }},
		&stage.Def[waitConfig]{Of: addr.Stage, Label: "wait", Rev: 1,
			Spec: stage.Schema{Attrs: []stage.Attr{needed(path("started")), path("until"), source}},
			New:  func(c waitConfig) (stage.Runner, error) { return &c, nil }},
		&stage.Def[copyConfig]{Of: addr.Publish, Label: "copy", Rev: 1,
			Spec: stage.Schema{Attrs: []stage.Attr{{Name: "model", Type: stage.HandleType, Required: true}, needed(path("path")),
				{Name: "token", Type: stage.SecretType}}},
			New: func(c copyConfig) (stage.Runner, error) { return &c, nil }},
	}
}

type fileConfig struct {
	Path   string  `cty:"path"`
	Format *string `cty:"format"`
}

func (c *fileConfig) read(env stage.Env) ([]byte, error) {
	abs, err := env.Path(c.Path)
	if err != nil {
		return nil, stage.Attrf("path", "%w", err)
	}
	b, err := os.ReadFile(abs)
	if errors.Is(err, os.ErrNotExist) {
		return nil, stage.Attrf("path", "the file %s does not exist", c.Path)
	}
	return b, err
}

func (c *fileConfig) Observe(_ context.Context, env stage.Env) (digest.Digest, error) {
	b, err := c.read(env)
	return digest.Bytes(b), err
}

func (c *fileConfig) Run(_ context.Context, env stage.Env, _ stage.Inputs, out *stage.Output) error {
	b, err := c.read(env)
	if err != nil {
		return err
	}
	return writeTable(out, b)
}

func writeTable(out *stage.Output, b []byte) error {
	out.Table("data.csv", int64(max(0, bytes.Count(b, []byte("\n"))-1)))
	return os.WriteFile(out.Path("data.csv"), b, 0o600)
}

type joinConfig struct {
	Inputs cty.Value `cty:"inputs"`
	Limit  *int      `cty:"limit"`
}

// Run puts tables of the same columns below each other.
func (c *joinConfig) Run(_ context.Context, _ stage.Env, in stage.Inputs, out *stage.Output) error {
	var all []string
	for i, input := range in {
		b, err := os.ReadFile(input.Table())
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		if i > 0 {
			lines = lines[1:]
		}
		all = append(all, lines...)
	}
	if c.Limit != nil {
		all = all[:min(len(all), *c.Limit+1)]
	}
	if err := out.Metric("rows", float64(len(all)-1)); err != nil {
		return err
	}
	out.Fact("first", all[min(1, len(all)-1)])
	return writeTable(out, []byte(strings.Join(all, "\n")+"\n"))
}

type linesConfig struct {
	Text   string        `cty:"text"`
	Source *stage.Handle `cty:"source"`
}

func (c *linesConfig) Run(_ context.Context, _ stage.Env, _ stage.Inputs, out *stage.Output) error {
	return os.WriteFile(out.Path("lines.txt"), []byte(c.Text), 0o600)
}

type failConfig struct {
	Message string        `cty:"message"`
	Source  *stage.Handle `cty:"source"`
}

func (c *failConfig) Run(context.Context, stage.Env, stage.Inputs, *stage.Output) error {
	return errors.New(c.Message)
}

type waitConfig struct {
	Started string        `cty:"started"`
	Until   *string       `cty:"until"`
	Source  *stage.Handle `cty:"source"`
}

// Run writes its process into a file, and waits for another file or the end of its context.
func (c *waitConfig) Run(ctx context.Context, env stage.Env, _ stage.Inputs, out *stage.Output) error {
	started := filepath.Join(env.WorkDir, c.Started)
	if err := os.WriteFile(started+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	if err := os.Rename(started+".new", started); err != nil {
		return err
	}
	for {
		if c.Until != nil {
			if _, err := os.Stat(filepath.Join(env.WorkDir, *c.Until)); err == nil {
				return os.WriteFile(out.Path("done.txt"), []byte("done\n"), 0o600)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

type copyConfig struct {
	Model *stage.Handle `cty:"model"`
	Path  string        `cty:"path"`
	Token *stage.Secret `cty:"token"`
}

func (c *copyConfig) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	if c.Token != nil {
		if _, err := env.Secret(c.Token); err != nil {
			return err
		}
	}
	model, err := in.Get("model")
	if err != nil {
		return err
	}
	b, err := os.ReadFile(model.Table())
	if err != nil {
		return err
	}
	_, err = env.Journal.Do(ctx, c.Path, digest.Bytes(b), func(context.Context, stage.Attempt) (any, error) {
		return "copied", os.WriteFile(filepath.Join(env.WorkDir, c.Path), b, 0o600)
	})
	if err != nil {
		return err
	}
	out.Fact("status", "copied")
	return os.WriteFile(out.Path("receipt.txt"), []byte(fmt.Sprintf("%s %s\n", c.Path, digest.Bytes(b))), 0o600)
}

func (c *copyConfig) Remove(_ context.Context, env stage.Env, _ *artifact.Artifact) error {
	err := os.Remove(filepath.Join(env.WorkDir, c.Path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
