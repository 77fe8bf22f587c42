package stagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// Run runs the suite on a type.
func Run(t *testing.T, typ stage.Type, cases ...Case) {
	t.Run("schema", func(t *testing.T) { checkSchema(t, typ) })
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { c.run(t, typ) })
	}
	for _, c := range cases {
		if c.WantErr == "" {
			t.Run("bad configuration", func(t *testing.T) { badConfig(t, typ, c) })
			return
		}
	}
}

// run takes a case through the life of a node, twice.
func (c Case) run(t *testing.T, typ stage.Type) {
	v, err := c.decode(t, typ)
	if err != nil {
		c.checkError(t, err)
		return
	}
	config, refs := encodeStable(t, typ, v)
	if _, err := typ.Decode(v); err != nil {
		c.checkError(t, err)
		return
	}
	first, err := c.attempt(t, typ, config, refs, 0)
	if err != nil {
		c.checkError(t, err)
		return
	}
	if c.WantErr != "" {
		t.Fatalf("it succeeded, and an error with %q was expected", c.WantErr)
	}
	second, err := c.attempt(t, typ, config, refs, 1)
	if err != nil {
		t.Fatalf("the second run failed: %v", err)
	}
	equal(t, first, second)
	c.cancelled(t, typ, config, refs)
	if c.Check != nil {
		c.Check(t, first)
	}
}

// encodeStable checks that a configuration survives its way through a plan.
func encodeStable(t *testing.T, typ stage.Type, v cty.Value) (json.RawMessage, []stage.Ref) {
	t.Helper()
	config, refs, err := stage.Encode(v)
	if err != nil {
		t.Fatalf("the configuration cannot be encoded: %v", err)
	}
	back, err := stage.DecodeConfig(typ.Schema(), config)
	if err != nil {
		t.Fatalf("the encoded configuration cannot be decoded: %v\n%s", err, config)
	}
	again, _, err := stage.Encode(back)
	if err != nil || string(again) != string(config) {
		t.Fatalf("the fingerprint is not stable (%v):\n%s\n%s", err, config, again)
	}
	return config, refs
}

// attempt runs the case in a place of its own: other directories, another clock, another run.
func (c Case) attempt(t *testing.T, typ stage.Type, config json.RawMessage, refs []stage.Ref, n int) (Result, error) {
	t.Helper()
	place := t.TempDir()
	env := c.env(t, typ, place, n)
	runner, err := decodeRunner(typ, config)
	if err != nil {
		return Result{}, err
	}
	if o, ok := runner.(stage.Observer); ok {
		d, err := o.Observe(t.Context(), env)
		if err != nil {
			return Result{}, err
		}
		env.Observed = d
	}
	in := c.inputs(t, place, refs)
	out := &stage.Output{Dir: mkdir(t, place, "out")}
	if err := runner.Run(t.Context(), env, in, out); err != nil {
		return Result{}, err
	}
	r := Result{Info: out.Info(), Dir: out.Dir, Files: list(t, out.Dir), Upstream: in}
	c.clean(t, r, place)
	return r, nil
}

func decodeRunner(typ stage.Type, config json.RawMessage) (stage.Runner, error) {
	v, err := stage.DecodeConfig(typ.Schema(), config)
	if err != nil {
		return nil, err
	}
	return typ.Decode(v)
}

func (c Case) env(t *testing.T, typ stage.Type, place string, n int) stage.Env {
	t.Helper()
	at := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	if typ.Kind() == addr.Stage || typ.Kind() == addr.Input {
		at = at.Add(time.Duration(n) * 1000 * time.Hour) // no artifact of a stage may depend on the clock
	}
	work := mkdir(t, place, fmt.Sprintf("work%d", n))
	for name, content := range c.WorkFiles {
		write(t, filepath.Join(work, filepath.FromSlash(name)), content)
	}
	env := stage.Env{
		Log: hclog.NewNullLogger(), Now: func() time.Time { return at },
		Getenv:  func(name string) (string, bool) { v, ok := c.Getenv[name]; return v, ok },
		WorkDir: work, Scratch: mkdir(t, place, "scratch"),
		Run: stage.RunInfo{ID: fmt.Sprintf("run-%d", n), Pipeline: "test", Environment: "dev", Actor: "test@localhost",
			Node: addr.New(typ.Kind(), fmt.Sprintf("node%d", n)), Fingerprint: digest.Bytes(nil)},
	}
	if c.World != nil {
		c.World(&env)
	}
	return env
}

// inputs lays out the artifacts that the configuration refers to, read-only as the engine does.
func (c Case) inputs(t *testing.T, place string, refs []stage.Ref) stage.Inputs {
	t.Helper()
	var in stage.Inputs
	for i, ref := range refs {
		u, ok := c.Upstreams[ref.Address]
		if !ok {
			t.Fatalf("the case has no upstream %s", ref.Address)
		}
		dir := mkdir(t, place, fmt.Sprintf("in%d", i))
		for name, content := range u.Files {
			write(t, filepath.Join(dir, filepath.FromSlash(name)), content)
		}
		in = append(in, stage.Input{Label: ref.Label, Artifact: u.Artifact(), Dir: dir})
	}
	return in
}

// clean checks what no output may hold.
func (c Case) clean(t *testing.T, r Result, place string) {
	t.Helper()
	info, err := digest.Canonical(r.Info)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{"the metrics and facts": string(info)}
	for _, f := range r.Files {
		content[f] = r.File(t, f)
	}
	for what, text := range content {
		if strings.Contains(text, place) {
			t.Errorf("%s: it holds the directory of the run", what)
		}
		for name, value := range c.Getenv {
			if strings.Contains(c.Config, `secret("`+name+`")`) && strings.Contains(text, value) {
				t.Errorf("%s: it holds the value of the secret %s", what, name)
			}
		}
	}
	if r.Main != "" {
		r.File(t, r.Main)
	}
}

// cancelled checks that a cancelled run ends soon and says why.
func (c Case) cancelled(t *testing.T, typ stage.Type, config json.RawMessage, refs []stage.Ref) {
	t.Helper()
	place := t.TempDir()
	runner, err := decodeRunner(typ, config)
	if err != nil {
		t.Fatal(err)
	}
	env := c.env(t, typ, place, 2)
	if o, ok := runner.(stage.Observer); ok {
		if env.Observed, err = o.Observe(t.Context(), env); err != nil {
			t.Fatal(err)
		}
	}
	in, out := c.inputs(t, place, refs), &stage.Output{Dir: mkdir(t, place, "out")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx, env, in, out) }()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("under a cancelled context it returned %v, and must return the context's error", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("under a cancelled context it did not return within 10 s")
	}
}

func (c Case) checkError(t *testing.T, err error) {
	t.Helper()
	if c.WantErr == "" {
		t.Fatalf("it failed: %v", err)
	}
	if !strings.Contains(err.Error(), c.WantErr) {
		t.Errorf("the error is\n%s\nand must hold\n%s", err, c.WantErr)
	}
	for name, value := range c.Getenv {
		if strings.Contains(c.Config, `secret("`+name+`")`) && strings.Contains(err.Error(), value) {
			t.Errorf("the error holds the value of the secret %s", name)
		}
	}
	if c.WantAttr == "" {
		return
	}
	var attr *stage.AttrError
	if !errors.As(err, &attr) {
		t.Errorf("the error %q is about no attribute, and must be about %s", err, c.WantAttr)
	} else if got := spell(attr.Path); got != c.WantAttr {
		t.Errorf("the error %q is about %s, and must be about %s", err, got, c.WantAttr)
	}
}

func spell(path cty.Path) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Name)
		case cty.IndexStep:
			if s.Key.Type() == cty.String {
				fmt.Fprintf(&b, "[%q]", s.Key.AsString())
			} else {
				fmt.Fprintf(&b, "[%s]", s.Key.AsBigFloat().Text('f', 0))
			}
		}
	}
	return b.String()
}

func equal(t *testing.T, a, b Result) {
	t.Helper()
	if d := cmp.Diff(a.Info, b.Info); d != "" {
		t.Errorf("two runs say different things:\n%s", d)
	}
	if d := cmp.Diff(a.Files, b.Files); d != "" {
		t.Fatalf("two runs leave different files:\n%s", d)
	}
	for _, f := range a.Files {
		if a.File(t, f) != b.File(t, f) {
			t.Errorf("two runs leave different content in %s", f)
		}
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			t.Errorf("%s is no regular file: it would not be part of the artifact", p)
		}
		rel, err := filepath.Rel(dir, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	return files
}

func mkdir(t *testing.T, parent, name string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	mkdir(t, filepath.Dir(path), "")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
