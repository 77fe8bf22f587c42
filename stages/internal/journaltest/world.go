package journaltest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// World is the surroundings of one node: a working directory, variables of the environment, a clock, a journal.
type World struct {
	T       testing.TB
	Dir     string
	Vars    map[string]string
	Journal *Journal
	Time    time.Time
	Pinned  string
	Run     stage.RunInfo
}

// NewWorld returns a world in a new directory.
func NewWorld(t testing.TB) *World {
	t.Helper()
	return &World{T: t, Dir: t.TempDir(), Vars: map[string]string{}, Journal: New(filepath.Join(t.TempDir(), "journal")),
		Time: time.Date(2025, 2, 3, 4, 5, 6, 0, time.UTC),
		Run: stage.RunInfo{ID: "run-1", PlanDigest: digest.Bytes([]byte("plan-1")), Pipeline: "sample", Environment: "dev",
			Actor: "ana@desk", SourceRevision: "abc123", Node: addr.New(addr.Publish, "it")}}
}

// Env returns the environment of a runner.
func (w *World) Env() stage.Env {
	return stage.Env{Log: hclog.NewNullLogger(), Now: func() time.Time { return w.Time }, WorkDir: w.Dir,
		Scratch: w.T.TempDir(), Journal: w.Journal, Pinned: w.Pinned, Run: w.Run,
		Getenv: func(name string) (string, bool) { v, ok := w.Vars[name]; return v, ok }}
}

// NextProcess forgets what the process had in memory and does not crash.
func (w *World) NextProcess() { w.Journal = New(w.Journal.path) }

// Decode makes a runner from attributes; those that are not given have their defaults. A mistake fails the test.
func Decode(t testing.TB, typ stage.Type, attrs map[string]cty.Value) stage.Runner {
	t.Helper()
	r, err := TryDecode(typ, attrs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryDecode makes a runner from attributes in the way that the engine does: encoded and decoded again.
func TryDecode(typ stage.Type, attrs map[string]cty.Value) (stage.Runner, error) {
	s := typ.Schema()
	full := map[string]cty.Value{}
	known := map[string]bool{}
	for _, a := range s.Attrs {
		known[a.Name] = true
		switch v, ok := attrs[a.Name]; {
		case ok:
			full[a.Name] = v
		case a.Required:
			return nil, fmt.Errorf("attribute %s is required", a.Name)
		case a.Default != cty.NilVal:
			full[a.Name] = a.Default
		}
	}
	for _, b := range s.Blocks {
		known[b.Name] = true
		if v, ok := attrs[b.Name]; ok {
			full[b.Name] = withDefaults(b, v)
		}
	}
	for name := range attrs {
		if !known[name] {
			return nil, fmt.Errorf("there is no attribute %s", name)
		}
	}
	config, _, err := stage.Encode(cty.ObjectVal(full))
	if err != nil {
		return nil, err
	}
	v, err := stage.DecodeConfig(s, config)
	if err != nil {
		return nil, err
	}
	return typ.Decode(v)
}

func withDefaults(b stage.Block, v cty.Value) cty.Value {
	full := map[string]cty.Value{}
	for _, a := range b.Attrs {
		switch {
		case v.Type().HasAttribute(a.Name):
			full[a.Name] = v.GetAttr(a.Name)
		case a.Default != cty.NilVal:
			full[a.Name] = a.Default
		}
	}
	return cty.ObjectVal(full)
}

// Ref is a reference for an attribute.
func Ref() cty.Value { return cty.CapsuleVal(stage.HandleType, &stage.Handle{}) }

// Secret is secret(name) for an attribute.
func Secret(name string) cty.Value {
	return cty.CapsuleVal(stage.SecretType, &stage.Secret{Name: name})
}

// Input lays out an artifact under a label. The files are a map from path to content.
func Input(t testing.TB, label string, files map[string]string, info artifact.Info) stage.Input {
	t.Helper()
	in := stage.Input{Label: label, Dir: t.TempDir(), Artifact: &artifact.Artifact{Info: info}}
	for path, content := range files {
		at := in.Path(path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o444); err != nil {
			t.Fatal(err)
		}
		in.Artifact.Files = append(in.Artifact.Files, artifact.File{Path: path, Digest: digest.Bytes([]byte(content)), Size: int64(len(content))})
	}
	sort.Slice(in.Artifact.Files, func(i, j int) bool { return in.Artifact.Files[i].Path < in.Artifact.Files[j].Path })
	return in
}

// Model is the artifact of a training stage.
func Model(t testing.TB, version string) stage.Input {
	t.Helper()
	return Input(t, "model", map[string]string{
		"model_ai1.json": `{"weights":[1,2],"of":"` + version + `"}`, "model_ai2.json": `{"weights":[3]}`,
		"feature_schema.json": `{"columns":["z"]}`, "params.yaml": "theta1: 0.7\ntheta2: 0.3\nseed: 7\n",
		"metrics.json": `{"auc":0.6}`, "model_card.md": "# Model\n",
	}, artifact.Info{Facts: map[string]string{"model_version": version}, Metrics: map[string]float64{"auc": 0.6}})
}

// RunNode runs the node in the world and returns its artifact, labelled, as an input for the next.
func (w *World) RunNode(r stage.Runner, label string, in ...stage.Input) (stage.Input, error) {
	w.T.Helper()
	out := &stage.Output{Dir: w.T.TempDir()}
	if err := r.Run(context.Background(), w.Env(), in, out); err != nil {
		return stage.Input{}, err
	}
	files := map[string]string{}
	err := filepath.WalkDir(out.Dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(out.Dir, p)
		files[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return Input(w.T, label, files, out.Info()), nil
}

// MustRun is RunNode for nodes that are expected to succeed.
func (w *World) MustRun(r stage.Runner, label string, in ...stage.Input) stage.Input {
	w.T.Helper()
	got, err := w.RunNode(r, label, in...)
	if err != nil {
		w.T.Fatal(err)
	}
	return got
}

// Crashes runs the node in a process that dies at p, which must come about.
func (w *World) Crashes(p Point, r stage.Runner, in ...stage.Input) {
	w.T.Helper()
	w.Journal.CrashAt = p
	defer func() {
		w.NextProcess()
		if c, ok := recover().(Crash); !ok || c.At != p {
			w.T.Fatalf("the process did not die at %d: %v", p, c)
		}
	}()
	_, err := w.RunNode(r, "", in...)
	w.T.Fatalf("the process was to die at %d, but the node returned %v", p, err)
}

// Remove takes back what the node did.
func (w *World) Remove(r stage.Runner, last stage.Input) error {
	return r.(stage.Remover).Remove(context.Background(), w.Env(), last.Artifact)
}

// Tree lists all files below the directory, sorted, and empty directories with a slash at the end.
func Tree(t testing.TB, dir string) []string {
	t.Helper()
	list := []string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if d.IsDir() {
			if es, _ := os.ReadDir(p); len(es) > 0 {
				return nil
			}
			rel += "/"
		}
		list = append(list, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(list)
	return list
}

// NoSecret fails the test if the text holds the secret.
func NoSecret(t testing.TB, text, secret string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("a secret is shown: %s", text)
	}
}

// JournalPath is the file of the journal.
func (w *World) JournalPath() string { return w.Journal.path }

// WithJournal gives an environment a new journal, for the suite of all types.
func WithJournal(t testing.TB) func(*stage.Env) {
	return func(env *stage.Env) { env.Journal = New(filepath.Join(t.TempDir(), "journal")) }
}
