package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/artifact"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// The types of these tests do real work on real files. Every run leaves a line in runs.log, so that work that was not
// done can be asserted, also of processes that were killed.

func ran(env stage.Env) error {
	f, err := os.OpenFile(filepath.Join(env.WorkDir, "runs.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, env.Run.Node)
	return err
}

type fileConfig struct {
	Path string `cty:"path"`
}

type fileRunner struct{ c fileConfig }

func (r fileRunner) Observe(_ context.Context, env stage.Env) (digest.Digest, error) {
	p, err := env.Path(r.c.Path)
	if err != nil {
		return "", err
	}
	d, _, err := digest.File(p)
	return d, err
}

func (r fileRunner) Run(_ context.Context, env stage.Env, _ stage.Inputs, out *stage.Output) error {
	p, err := env.Path(r.c.Path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	if digest.Bytes(b) != env.Observed {
		return stage.ErrChanged
	}
	out.Table("data.txt", int64(bytes.Count(b, []byte("\n"))))
	return errorsJoin(ran(env), os.WriteFile(out.Path("data.txt"), b, 0o600))
}

func errorsJoin(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type textConfig struct {
	Sources cty.Value `cty:"sources"`
	Mode    string    `cty:"mode"`
	Suffix  string    `cty:"suffix"`
}

// textRunner joins its inputs; mode sort makes the order of lines in them irrelevant, mode fail fails.
type textRunner struct{ c textConfig }

func (r textRunner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	if err := ran(env); err != nil {
		return err
	}
	var lines []string
	for _, i := range in {
		b, err := os.ReadFile(i.Path("data.txt"))
		if err != nil {
			return err
		}
		lines = append(lines, strings.Fields(string(b))...)
	}
	switch r.c.Mode {
	case "sort":
		sort.Strings(lines)
	case "fail":
		return fmt.Errorf("told to fail")
	case "flaky": // fails until a file is there that the first attempt makes
		p := filepath.Join(env.WorkDir, "flaky")
		if _, err := os.Stat(p); err != nil {
			return errorsJoin(os.WriteFile(p, nil, 0o600), fmt.Errorf("not this time"))
		}
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	}
	for i := range lines {
		lines[i] += r.c.Suffix
	}
	out.Table("data.txt", int64(len(lines)))
	if err := out.Metric("lines", float64(len(lines))); err != nil {
		return err
	}
	return os.WriteFile(out.Path("data.txt"), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

type nothingConfig struct {
	Key  string `cty:"key"`
	File bool   `cty:"file"`
}

// nothingRunner does nothing but to give the artifact a fact, and a file if it is told to.
type nothingRunner struct{ c nothingConfig }

func (r nothingRunner) Run(_ context.Context, _ stage.Env, _ stage.Inputs, out *stage.Output) error {
	out.Fact("key", r.c.Key)
	if !r.c.File {
		return nil
	}
	return os.WriteFile(out.Path("data.txt"), []byte(r.c.Key+"\n"), 0o600)
}

type postConfig struct {
	Source *stage.Handle `cty:"source"`
	Dir    string        `cty:"dir"`
}

// postRunner puts its input into a directory under a name made of the content, once.
type postRunner struct{ c postConfig }

func (r postRunner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	if err := ran(env); err != nil {
		return err
	}
	src, err := in.Get("source")
	if err != nil {
		return err
	}
	b, err := os.ReadFile(src.Path("data.txt"))
	if err != nil {
		return err
	}
	name := digest.Bytes(b).Hex()[:12]
	_, err = env.Journal.Do(ctx, "post-"+name, map[string]string{"name": name}, func(_ context.Context, at stage.Attempt) (any, error) {
		p := filepath.Join(env.WorkDir, r.c.Dir, name)
		if _, err := os.Stat(p); err == nil && at.Again {
			return "found", nil
		}
		f, err := os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		_, err = f.Write(b)
		return "posted", err
	})
	if err != nil {
		return err
	}
	out.Fact("model_version", name)
	return os.WriteFile(out.Path("receipt.json"), []byte(fmt.Sprintf("{\"name\":%q}\n", name)), 0o600)
}

func (r postRunner) Remove(ctx context.Context, env stage.Env, _ *artifact.Artifact) error {
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	for _, e := range done {
		var intent struct{ Name string }
		if err := json.Unmarshal(e.Intent, &intent); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(env.WorkDir, r.c.Dir, intent.Name)); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := env.Journal.Undo(ctx, e.Key); err != nil {
			return err
		}
	}
	return nil
}

type mailConfig struct {
	Box string `cty:"box"`
}

// mailRunner appends each message to a file, once: like a receiver that honours the key of a message.
type mailRunner struct{ c mailConfig }

func (mailRunner) Run(context.Context, stage.Env, stage.Inputs, *stage.Output) error {
	return fmt.Errorf("a notifier does not run")
}

func (r mailRunner) Notify(_ context.Context, env stage.Env, m stage.Message) error {
	if b, err := os.ReadFile(filepath.Join(env.WorkDir, r.c.Box)); err == nil && strings.Contains(string(b), m.Key) {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(env.WorkDir, r.c.Box), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s %s %s\n", m.Key, m.Event, strings.ReplaceAll(m.Text, "\n", "; "))
	return err
}

func testRegistry() *stage.Registry {
	return stage.NewRegistry(
		&stage.Def[fileConfig]{Of: addr.Input, Label: "file", Rev: 1, New: func(c fileConfig) (stage.Runner, error) { return fileRunner{c}, nil },
			Spec: stage.Schema{Doc: "A file.", Attrs: []stage.Attr{{Name: "path", Type: cty.String, Required: true, Path: true, Doc: "The file."}}}},
		&stage.Def[textConfig]{Of: addr.Stage, Label: "text", Rev: 1, New: func(c textConfig) (stage.Runner, error) { return textRunner{c}, nil },
			Spec: stage.Schema{Doc: "Joins texts.", Attrs: []stage.Attr{
				{Name: "sources", Type: stage.HandlesType, Handles: true, Doc: "What is joined."},
				{Name: "mode", Type: cty.String, Default: cty.StringVal("keep"), OneOf: []string{"keep", "sort", "fail", "flaky", "hang"}, Doc: "What is done."},
				{Name: "suffix", Type: cty.String, Default: cty.StringVal(""), Doc: "Put behind every line."}}}},
		&stage.Def[nothingConfig]{Of: addr.Stage, Label: "nothing", Rev: 1, New: func(c nothingConfig) (stage.Runner, error) { return nothingRunner{c}, nil },
			Spec: stage.Schema{Doc: "Does nothing.", Attrs: []stage.Attr{
				{Name: "key", Type: cty.String, Required: true, Doc: "What sets it apart."},
				{Name: "file", Type: cty.Bool, Default: cty.False, Doc: "Whether it leaves a file."}}}},
		&stage.Def[postConfig]{Of: addr.Publish, Label: "post", Rev: 1, New: func(c postConfig) (stage.Runner, error) { return postRunner{c}, nil },
			Spec: stage.Schema{Doc: "Posts.", Attrs: []stage.Attr{
				{Name: "source", Type: stage.HandleType, Required: true, Doc: "What is posted."},
				{Name: "dir", Type: cty.String, Default: cty.StringVal("board"), Path: true, Doc: "Where."}}}},
		&stage.Def[mailConfig]{Of: addr.Notify, Label: "mail", Rev: 1, New: func(c mailConfig) (stage.Runner, error) { return mailRunner{c}, nil },
			Spec: stage.Schema{Doc: "Mails.", Attrs: []stage.Attr{{Name: "box", Type: cty.String, Default: cty.StringVal("mail"), Doc: "The file."}}}},
	)
}

// lineCounter evaluates expectations on the number of lines, and metrics.
type lineCounter struct{}

func (lineCounter) Evaluate(_ context.Context, s check.Subject, list []check.Expectation) ([]check.Result, error) {
	var results []check.Result
	for _, e := range list {
		if e.Type == "metric_to_be_between" {
			results = append(results, check.EvaluateMetric(e, s.Metrics))
			continue
		}
		b, err := os.ReadFile(s.Table)
		if err != nil {
			return nil, err
		}
		a, err := check.ParseArgs(e)
		if err != nil {
			return nil, err
		}
		n := float64(bytes.Count(b, []byte("\n")))
		results = append(results, check.Aggregate(e, a, &n))
	}
	return results, nil
}

// world is a working directory with an engine.
type world struct {
	t   testing.TB
	dir string
	env map[string]string
}

func newWorld(t testing.TB, files map[string]string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	if err := os.Mkdir(filepath.Join(w.dir, "board"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		w.write(name, content)
	}
	return w
}

func (w *world) write(name, content string) {
	w.t.Helper()
	p := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) edit(name, old, repl string) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil || !strings.Contains(string(b), old) {
		w.t.Fatalf("%s does not hold %q (%v)", name, old, err)
	}
	w.write(name, strings.ReplaceAll(string(b), old, repl))
}

func (w *world) read(name string) string {
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		return ""
	}
	return string(b)
}

func (w *world) engine() *engine.Engine {
	w.t.Helper()
	var ticks atomic.Int64
	e, err := engine.New(engine.Options{WorkDir: w.dir, Version: "0.1.0", Registry: testRegistry(), Evaluator: lineCounter{},
		Now:    func() time.Time { return time.Date(2025, 2, 1, 12, 0, int(ticks.Add(1)), 0, time.UTC) },
		Getenv: func(n string) (string, bool) { v, ok := w.env[n]; return v, ok }})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) plan(o engine.PlanOptions) *plan.Plan {
	w.t.Helper()
	e := w.engine()
	l, diags := e.Load(engine.Source{Path: "main.hcl"})
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	p, diags := e.Plan(context.Background(), l, o)
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	return p
}

func (w *world) applyPlan(p *plan.Plan, o engine.ApplyOptions) (*apply.Result, error) {
	w.t.Helper()
	o.Actor = "tester@host"
	if o.Grace == 0 {
		o.Grace = 50 * time.Millisecond
	}
	return w.engine().Apply(context.Background(), p, o)
}

// apply plans and applies, and returns the result and what ran.
func (w *world) apply(o engine.PlanOptions) (*apply.Result, string) {
	w.t.Helper()
	_ = os.Remove(filepath.Join(w.dir, "runs.log"))
	res, err := w.applyPlan(w.plan(o), engine.ApplyOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return res, w.ran()
}

// ran lists what ran since the log was removed, sorted.
func (w *world) ran() string {
	lines := strings.Fields(w.read("runs.log"))
	sort.Strings(lines)
	return strings.Join(lines, " ")
}

func (w *world) snapshot() *state.Snapshot {
	w.t.Helper()
	e := w.engine()
	l, diags := e.Load(engine.Source{Path: "main.hcl"})
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	store, err := e.StateStore(l.Pipeline.Settings, l.Pipeline.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := store.Read(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// board lists what is posted.
func (w *world) board() string {
	entries, err := os.ReadDir(filepath.Join(w.dir, "board"))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// actions spells a plan: action address (codes of reasons), cached ones with *.
func actions(p *plan.Plan) string {
	var parts []string
	for _, c := range p.Changes {
		s := string(c.Action) + " " + c.Address.String()
		if c.Cached {
			s += "*"
		}
		if c.Certainty != plan.Must {
			s += " " + string(c.Certainty)
		}
		var codes []string
		for _, r := range c.Reasons {
			code := string(r.Code)
			if r.Path != "" {
				code += ":" + r.Path
			}
			codes = append(codes, code)
		}
		parts = append(parts, s+" ("+strings.Join(codes, " ")+")")
	}
	return strings.Join(parts, "\n")
}
