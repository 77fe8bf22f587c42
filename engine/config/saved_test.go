package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/config"
	"pipe/engine/settings"
)

// bigPlan is large enough to be kept, and reads something of every kind.
func bigPlan() map[string]string {
	var b strings.Builder
	b.WriteString(`variable "from_env" { type = number }
variable "from_file" { type = string }
variable "plain" { default = { a = [1, "x", null] } }
locals {
  training = config("training")
}
input "bars" { path = "text.txt" }
output "size" { value = var.from_env * 2 }
output "nothing" { value = null }
moved {
  from = stage.old
  to   = stage.s1
}
removed {
  from    = stage.gone
  destroy = true
}
module "m" { source = "./m" }
notify "bell" "b" { on = ["failed"] }
publish "post" "p" {
  model           = stage.s1
  timeout         = "5s"
  prevent_destroy = true
  labels          = { team = "fx" }
  depends_on      = [stage.s2]
}
stage "fit" "reads" {
  source      = input.bars
  epochs      = local.training.params.epochs
  expect_file = "suite.yaml"
  url         = secret("TOKEN")
  to          = "out/reads.csv"
  params = {
    text  = file("text.txt"), greeting = templatefile("greet.tmpl", { name = "you" }), files = fileset("set", "*.csv")
    there = fileexists("maybe.txt"), env = env("HOME_CURRENCY"), none = env("NOT_SET", "default"), file = var.from_file
  }
  horizon { bars = 3 }
  retry { attempts = 3 }
  expect "column_values_to_not_be_null" { column = "close" }
}
stage "fit" "each" {
  for_each = { a = 1, b = 2 }
  epochs   = each.value
  inputs   = { y = stage.s1, x = [stage.s2, input.bars] }
}
`)
	for i := range 700 {
		fmt.Fprintf(&b, "stage \"fit\" \"s%d\" {\n  source = input.bars\n  epochs = %d # a comment of some length, as people write\n}\n", i, i)
	}
	return map[string]string{
		"plan.hcl":                   b.String(),
		"vars.json":                  `{"from_file": "v"}`,
		"m/m.hcl":                    "stage \"fit\" \"in\" {\n  epochs = 7\n}\n",
		"configs/base/training.yaml": "params:\n  epochs: 200\n",
		"suite.yaml":                 "min_rows: 3\n",
		"text.txt":                   "hello",
		"greet.tmpl":                 "hello ${name}",
		"set/a.csv":                  "a\n",
	}
}

// keptWorld is a directory with a large plan.
type keptWorld struct {
	t   testing.TB
	dir string
	env map[string]string
}

func newKept(t testing.TB) *keptWorld {
	w := &keptWorld{t, t.TempDir(), map[string]string{"TOKEN": "hunter2", "HOME_CURRENCY": "EUR", "PIPE_VAR_from_env": "7"}}
	for name, content := range bigPlan() {
		w.write(name, content)
	}
	return w
}

func (w *keptWorld) write(name, content string) {
	w.t.Helper()
	p := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *keptWorld) load(keep bool) (*config.Pipeline, hcl.Diagnostics) {
	o := config.LoadOptions{Path: "plan.hcl", WorkDir: w.dir, Environment: "dev", Version: "0.1.0", Registry: registry(),
		VarFiles: []string{"vars.json"}, Getenv: func(n string) (string, bool) { v, ok := w.env[n]; return v, ok },
		ConfigTopic: settings.New(w.dir, "dev").Topic}
	if keep {
		o.Saved = w.saved()
	}
	return config.Load(o)
}

func (w *keptWorld) saved() string { return filepath.Join(w.dir, ".pipe", "cache") }

// decoded says whether a pipeline was decoded from what was kept: then its files were not parsed.
func decoded(p *config.Pipeline) bool { return p.Sources["plan.hcl"].Body == nil }

// same fails unless two pipelines are the same in all that a plan is made of.
func (w *keptWorld) same(what string, got, want *config.Pipeline) {
	w.t.Helper()
	if a, b := text(w.t, got, nil), text(w.t, want, nil); a != b {
		w.t.Errorf("%s: got\n%.2000s\nwant\n%.2000s", what, a, b)
	}
	if got.Digest() != want.Digest() {
		w.t.Errorf("%s: another digest", what)
	}
	for i := range want.Nodes {
		a, b := *got.Nodes[i], *want.Nodes[i]
		a.Type, b.Type, a.Runner, b.Runner = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			w.t.Fatalf("%s: %+v, want %+v", what, a, b)
		}
		if got.Nodes[i].Runner == nil || got.Nodes[i].Type.Name() != want.Nodes[i].Type.Name() {
			w.t.Fatalf("%s: %s has no runner", what, a.Addr)
		}
	}
	if !reflect.DeepEqual(got.Settings, want.Settings) || !reflect.DeepEqual(got.Moves, want.Moves) || !reflect.DeepEqual(got.Removals, want.Removals) {
		w.t.Errorf("%s: %+v %v %v", what, got.Settings, got.Moves, got.Removals)
	}
	if a, b := slicesOf(got.Sources), slicesOf(want.Sources); !reflect.DeepEqual(a, b) {
		w.t.Errorf("%s: other sources", what)
	}
}

func slicesOf(files map[string]*hcl.File) map[string]string {
	m := map[string]string{}
	for n, f := range files {
		m[n] = string(f.Bytes)
	}
	return m
}

// TestKeptPipeline holds the decoded form that was kept against the plan files: the same while nothing that was read has
// changed, and not used once anything has.
func TestKeptPipeline(t *testing.T) {
	changes := map[string]func(w *keptWorld){
		"plan file":       func(w *keptWorld) { w.write("plan.hcl", bigPlan()["plan.hcl"]+"stage \"fit\" \"more\" {}\n") },
		"comment":         func(w *keptWorld) { w.write("plan.hcl", "# new\n"+bigPlan()["plan.hcl"]) },
		"variable file":   func(w *keptWorld) { w.write("vars.json", `{"from_file": "w"}`) },
		"module":          func(w *keptWorld) { w.write("m/m.hcl", "stage \"fit\" \"in\" {\n  epochs = 8\n}\n") },
		"file of module":  func(w *keptWorld) { w.write("m/n.hcl", "stage \"fit\" \"other\" {}\n") },
		"topic":           func(w *keptWorld) { w.write("configs/base/training.yaml", "params:\n  epochs: 201\n") },
		"topic's overlay": func(w *keptWorld) { w.write("configs/envs/dev/training.yaml", "params:\n  epochs: 20\n") },
		"suite":           func(w *keptWorld) { w.write("suite.yaml", "min_rows: 4\n") },
		"file()":          func(w *keptWorld) { w.write("text.txt", "hallo") },
		"template":        func(w *keptWorld) { w.write("greet.tmpl", "hi ${name}") },
		"file of a set":   func(w *keptWorld) { w.write("set/b.csv", "b\n") },
		"file that is":    func(w *keptWorld) { w.write("maybe.txt", "") },
		"environment":     func(w *keptWorld) { w.env["HOME_CURRENCY"] = "USD" },
		"set variable":    func(w *keptWorld) { w.env["NOT_SET"] = "set" },
		"PIPE_VAR":        func(w *keptWorld) { w.env["PIPE_VAR_from_env"] = "8" },
	}
	for what, change := range changes {
		t.Run(what, func(t *testing.T) {
			w := newKept(t)
			fresh, diags := w.load(false)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			first, _ := w.load(true)
			again, _ := w.load(true)
			if decoded(first) || !decoded(again) {
				t.Fatalf("the first load was kept: %v, the second used it: %v", decoded(first), decoded(again))
			}
			w.same("kept", again, fresh)
			change(w)
			want, diags := w.load(false)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			got, _ := w.load(true)
			if decoded(got) {
				t.Error("what was kept is used after the change")
			}
			w.same("changed", got, want)
			if what != "comment" && text(t, want, nil) == text(t, fresh, nil) {
				t.Error("the change means nothing")
			}
		})
	}
}

// TestKeptPipelineSecrets: a secret that is gone is missed, its value is not kept, and neither is a plan with a sensitive
// variable.
func TestKeptPipelineSecrets(t *testing.T) {
	w := newKept(t)
	w.load(true)
	files, err := filepath.Glob(filepath.Join(w.saved(), "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil || bytes.Contains(kept, []byte("hunter2")) {
		t.Fatal("the value of a secret is kept", err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	delete(w.env, "TOKEN")
	if _, diags := w.load(true); !diags.HasErrors() {
		t.Error("the secret is not missed")
	}
	w.env["TOKEN"] = "another"
	if p, _ := w.load(true); !decoded(p) {
		t.Error("another value of a secret is no change of the plan")
	}

	w = newKept(t)
	w.write("plan.hcl", strings.Replace(bigPlan()["plan.hcl"], "type = number", "type = number\n  sensitive = true", 1))
	w.write("plan.hcl", strings.Replace(string(must(os.ReadFile(filepath.Join(w.dir, "plan.hcl")))), "output \"size\" { value = var.from_env * 2 }\n", "", 1))
	w.write("plan.hcl", strings.Replace(string(must(os.ReadFile(filepath.Join(w.dir, "plan.hcl")))), "variable \"from_env\" { type = number\n  sensitive = true }", "variable \"from_env\" {\n  type = number\n  sensitive = true\n}", 1))
	if _, diags := w.load(true); diags.HasErrors() {
		t.Fatal(diags)
	}
	if files, _ := filepath.Glob(filepath.Join(w.saved(), "*")); len(files) != 0 {
		t.Error("a plan with a sensitive variable is kept:", files)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestKeptPipelineDamaged: every byte counts, and a damaged file is as if it were not there.
func TestKeptPipelineDamaged(t *testing.T) {
	w := newKept(t)
	fresh, _ := w.load(true)
	files, _ := filepath.Glob(filepath.Join(w.saved(), "*"))
	kept := must(os.ReadFile(files[0]))
	for what, damaged := range map[string][]byte{
		"cut": kept[:len(kept)/2], "empty": {}, "one bit": append(append(bytes.Clone(kept[:len(kept)/2]), kept[len(kept)/2]^1), kept[len(kept)/2+1:]...),
	} {
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		p, diags := w.load(true)
		if diags.HasErrors() || decoded(p) {
			t.Error(what, "is used", diags)
		}
		w.same(what, p, fresh)
		if p, _ := w.load(true); !decoded(p) {
			t.Error(what, "is not healed")
		}
	}
	if got := string(must(os.ReadFile(files[0]))); got != string(kept) {
		t.Error("what is kept is not always the same")
	}
}

// TestKeptPipelineHasAllFields fails for a new field, which must be kept and be compared above.
func TestKeptPipelineHasAllFields(t *testing.T) {
	for _, c := range []struct {
		of   any
		want string
	}{
		{config.Pipeline{}, "Name Environment WorkDir Settings Variables Nodes Notifiers Outputs Moves Removals Imports Sources"},
		{config.Node{}, "Addr Type Config Runner Inputs DependsOn Expectations Options Range AttrRanges"},
		{config.Notifier{}, "Addr Type Config On Range"},
		{config.Variable{}, "Name Value Sensitive"},
		{config.Output{}, "Name Value Sensitive"},
	} {
		var names []string
		for f := range reflect.TypeOf(c.of).NumField() {
			names = append(names, reflect.TypeOf(c.of).Field(f).Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%T has the fields %s", c.of, got)
		}
	}
}
