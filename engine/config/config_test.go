package config_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/settings"
	"pipe/engine/stage"
)

var update = flag.Bool("update", false, "write what came out into the fixtures")

type runner struct{}

func (runner) Run(context.Context, stage.Env, stage.Inputs, *stage.Output) error { return nil }
func (runner) Notify(context.Context, stage.Env, stage.Message) error            { return nil }

type fitConfig struct {
	Source  *stage.Handle     `cty:"source"`
	Inputs  cty.Value         `cty:"inputs"`
	Epochs  int               `cty:"epochs"`
	L2      *float64          `cty:"l2"`
	Solver  string            `cty:"solver"`
	URL     *stage.Secret     `cty:"url"`
	Params  cty.Value         `cty:"params"`
	Tags    map[string]string `cty:"tags"`
	Horizon *horizon          `cty:"horizon"`
}

type horizon struct {
	Bars int `cty:"bars"`
}

func registry() *stage.Registry {
	type fileConfig struct {
		Path string `cty:"path"`
	}
	type post struct {
		Model *stage.Handle `cty:"model"`
	}
	type none struct{}
	return stage.NewRegistry(
		&stage.Def[fileConfig]{Of: addr.Input, Label: "file", Rev: 1, New: func(fileConfig) (stage.Runner, error) { return runner{}, nil },
			Spec: stage.Schema{Attrs: []stage.Attr{{Name: "path", Type: cty.String, Required: true, Path: true, Doc: "The file."}}}},
		&stage.Def[fitConfig]{Of: addr.Stage, Label: "fit", Rev: 1,
			New: func(c fitConfig) (stage.Runner, error) {
				if c.Epochs > 1000 {
					return nil, stage.Attrf("epochs", "at most 1,000 epochs make sense, and this is %d", c.Epochs)
				}
				return runner{}, nil
			},
			Spec: stage.Schema{
				Attrs: []stage.Attr{
					{Name: "source", Type: stage.HandleType, Doc: "The bars."},
					{Name: "inputs", Type: stage.HandlesType, Handles: true, Doc: "More."},
					{Name: "epochs", Type: cty.Number, Default: cty.NumberIntVal(200), Doc: "Iterations."},
					{Name: "l2", Type: cty.Number, Doc: "Penalty."},
					{Name: "solver", Type: cty.String, Default: cty.StringVal("lbfgs"), OneOf: []string{"lbfgs", "newton"}, Doc: "The solver."},
					{Name: "url", Type: stage.SecretType, Doc: "A database."},
					{Name: "params", Type: cty.DynamicPseudoType, Doc: "Anything."},
					{Name: "tags", Type: cty.Map(cty.String), Doc: "Texts."},
				},
				Blocks: []stage.Block{{Name: "horizon", Attrs: []stage.Attr{{Name: "bars", Type: cty.Number, Required: true, Doc: "Bars."}}}},
			}},
		&stage.Def[post]{Of: addr.Publish, Label: "post", Rev: 1, New: func(post) (stage.Runner, error) { return runner{}, nil },
			Spec: stage.Schema{Attrs: []stage.Attr{{Name: "model", Type: stage.HandleType, Required: true, Doc: "The model."}}}},
		&stage.Def[none]{Of: addr.Notify, Label: "bell", Rev: 1, New: func(none) (stage.Runner, error) { return runner{}, nil }},
	)
}

// load decodes one plan file in a directory that has a few more files, and those in src behind lines -- name --.
func load(t testing.TB, src string) (*config.Pipeline, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	parts := txtar.Parse([]byte(src))
	files := map[string]string{
		"plan.hcl":                       string(parts.Comment),
		"configs/base/training.yaml":     "cv: {folds: 3}\nparams:\n  epochs: 200\n  l2: 0.0001\n  rate: many\n",
		"configs/envs/dev/training.yaml": "params: {epochs: 20}\n",
		"suite.yaml":                     "min_rows: 3\ncolumn_ranges:\n  close: [0.5, 2.0]\n",
		"broken.yaml":                    "min_row: 3\n",
		"text.txt":                       "hello",
		"greet.tmpl":                     "hello ${name}",
	}
	for _, f := range parts.Files {
		if filepath.IsLocal(f.Name) {
			files[f.Name] = string(f.Data)
		}
	}
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"TOKEN": "hunter2", "HOME_CURRENCY": "EUR", "PIPE_VAR_from_env": "7"}
	return config.Load(config.LoadOptions{Path: "plan.hcl", WorkDir: dir, Environment: "dev", Version: "0.1.0", Registry: registry(),
		Vars: map[string]string{}, Getenv: func(n string) (string, bool) { v, ok := env[n]; return v, ok },
		ConfigTopic: settings.New(dir, "dev").Topic})
}

func text(t testing.TB, p *config.Pipeline, diags hcl.Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if len(diags) > 0 {
		if err := hcl.NewDiagnosticTextWriter(&b, p.Sources, 100, false).WriteDiagnostics(diags); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, v := range p.Variables {
		if v.Sensitive {
			fmt.Fprintf(&b, "var.%s sensitive\n", v.Name)
			continue
		}
		fmt.Fprintf(&b, "var.%s %s\n", v.Name, show(v.Value))
	}
	for _, n := range p.Nodes {
		fmt.Fprintf(&b, "%s %s %s\n", n.Addr, n.Type.Name(), n.Config)
		for _, e := range n.Inputs {
			fmt.Fprintf(&b, "  %s <- %s\n", e.Label, e.Addr)
		}
		for _, a := range n.DependsOn {
			fmt.Fprintf(&b, "  after %s\n", a)
		}
		for _, e := range n.Expectations {
			fmt.Fprintf(&b, "  expect %s %s %s (%s)\n", e.Type, e.Args, e.Severity, e.Source)
		}
		o := n.Options
		if o.To != "" || o.Timeout != 0 || o.Retry.Attempts != 1 || len(o.Labels) > 0 || o.PreventDestroy {
			fmt.Fprintf(&b, "  options to=%q timeout=%v retry=%v labels=%v prevent_destroy=%v\n", o.To, o.Timeout, o.Retry, o.Labels, o.PreventDestroy)
		}
	}
	for _, n := range p.Notifiers {
		fmt.Fprintf(&b, "%s %s %s on %v\n", n.Addr, n.Type.Name(), n.Config, n.On)
	}
	for _, o := range p.Outputs {
		fmt.Fprintf(&b, "output.%s %s\n", o.Name, show(o.Value))
	}
	for _, m := range p.Moves {
		fmt.Fprintf(&b, "moved %s -> %s\n", m.From, m.To)
	}
	for _, r := range p.Removals {
		fmt.Fprintf(&b, "removed %s destroy=%v\n", r.From, r.Destroy)
	}
	for _, i := range p.Imports {
		fmt.Fprintf(&b, "import %s %s%s\n", i.To, i.Path, i.ID)
	}
	return b.String()
}

func show(v cty.Value) string {
	raw, _, err := stage.Encode(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// TestFixtures loads the part of each fixture above the line of dashes and compares what comes out with the part below.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			src, want, _ := strings.Cut(string(raw), "\n----\n")
			p, diags := load(t, src+"\n")
			got := text(t, p, diags)
			if *update {
				if err := os.WriteFile(f, []byte(src+"\n----\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		src, _, _ := strings.Cut(string(raw), "\n----\n")
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, diags := load(t, src)
		if p == nil {
			t.Fatal("no pipeline")
		}
		for _, d := range diags {
			if d.Subject == nil {
				continue
			}
			file := p.Sources[d.Subject.Filename]
			if file == nil {
				t.Fatalf("%s: the diagnostic points into an unknown file %q", d.Summary, d.Subject.Filename)
			}
			if d.Subject.Start.Byte < 0 || d.Subject.End.Byte > len(file.Bytes) || d.Subject.Start.Byte > d.Subject.End.Byte {
				t.Fatalf("%s: the place %v is outside of the file", d.Summary, d.Subject)
			}
		}
	})
}
