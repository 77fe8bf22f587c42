package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2"

	"pipe/engine/artifact"
	"pipe/engine/artifact/filestore"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/diag"
	"pipe/engine/fault"
	"pipe/engine/graph"
	"pipe/engine/settings"
	"pipe/engine/stage"
	"pipe/engine/state"
	"pipe/engine/state/filestate"
)

// Options are what an Engine is made of.
type Options struct {
	WorkDir     string // absolute; relative paths of plan files are relative to it
	Environment string // "": SERVICE_ENV, else dev
	Version     string
	Registry    *stage.Registry
	Evaluator   check.Evaluator
	Now         func() time.Time
	Getenv      func(string) (string, bool) // of the process; .env is added in dev
	Log         hclog.Logger
}

// Engine joins the phases for one working directory and environment.
type Engine struct {
	Options
	settings *settings.Settings
	faults   *fault.Set
}

// New reads the settings of the working directory.
func New(o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	env, err := settings.Environment(o.Environment, o.Getenv)
	if err != nil {
		return nil, err
	}
	o.Environment = env
	if o.Getenv, err = settings.Getenv(o.WorkDir, env, o.Getenv); err != nil {
		return nil, err
	}
	spec, _ := o.Getenv("PIPE_FAULT")
	faults, err := fault.Parse(spec)
	if err != nil {
		return nil, err
	}
	return &Engine{Options: o, settings: settings.New(o.WorkDir, env), faults: faults}, nil
}

// Environment returns the environment's name.
func (e *Engine) Environment() string { return e.Options.Environment }

// Source says which plan files to load, with which variables.
type Source struct {
	Path             string
	Vars             map[string]string
	VarFiles         []string
	MissingSecretsOK bool
	// Fresh parses the plan files even where their decoded form was kept.
	Fresh bool
}

// Loaded is a decoded pipeline in its order. With errors it has at least Pipeline.Sources, for excerpts.
type Loaded struct {
	Pipeline *config.Pipeline
	Graph    *graph.Graph
}

// Load decodes plan files and orders their nodes.
func (e *Engine) Load(src Source) (*Loaded, hcl.Diagnostics) {
	saved := filepath.Join(e.WorkDir, ".pipe", "cache")
	if src.Fresh {
		saved = ""
	}
	p, diags := config.Load(config.LoadOptions{Saved: saved, Path: src.Path, WorkDir: e.WorkDir, Environment: e.Options.Environment,
		Version: e.Version, Registry: e.Registry, Vars: src.Vars, VarFiles: src.VarFiles, Getenv: e.Getenv,
		ConfigTopic: e.settings.Topic, MissingSecretsOK: src.MissingSecretsOK})
	l := &Loaded{Pipeline: p}
	if diags.HasErrors() {
		return l, diags
	}
	g, more := graph.Build(p)
	l.Graph = g
	return l, append(diags, more...)
}

// ArtifactStore is what an artifact store of the engine can do.
type ArtifactStore interface {
	artifact.Store
	artifact.Comparer
	artifact.Keeper
}

// StateStore opens the state of a pipeline in this environment.
func (e *Engine) StateStore(s config.Settings, pipeline string) (state.Store, error) {
	return filestate.Open(e.abs(s.State.Path), pipeline, e.Options.Environment, filestate.WithClock(e.Now), filestate.WithFaults(e.faults))
}

// ArtifactStore opens the store of artifacts.
func (e *Engine) ArtifactStore(s config.Settings) (ArtifactStore, error) {
	return filestore.Open(e.abs(s.Store.Path))
}

func (e *Engine) abs(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(e.WorkDir, p)
}

func (e *Engine) roots(s config.Settings) []string {
	var roots []string
	for _, p := range s.AllowPaths {
		roots = append(roots, e.abs(p))
	}
	return roots
}

// fromError makes a diagnostic of a plain error.
func fromError(code diag.Code, summary string, err error) hcl.Diagnostics {
	return hcl.Diagnostics{diag.Error(code, nil, summary, "%s", sentence(err.Error()))}
}

// sentence starts a message with a capital letter and ends it with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?\n") {
		s += "."
	}
	return s
}

// ErrStale says that a plan no longer fits the state, or was applied already.
var ErrStale = errors.New("the plan is stale")

// holder describes this process to others that want the lease.
func holder(actor, operation string, now time.Time) state.Holder {
	name, host, _ := strings.Cut(actor, "@")
	return state.Holder{Name: name, Host: host, PID: os.Getpid(), Operation: operation, Since: now}
}

// Lock takes the exclusive lease on a pipeline's state.
func (e *Engine) Lock(ctx context.Context, s config.Settings, pipeline, actor, operation string, wait time.Duration) (state.Lease, error) {
	store, err := e.StateStore(s, pipeline)
	if err != nil {
		return nil, err
	}
	lease, err := store.Acquire(ctx, holder(actor, operation, e.Now()), wait)
	if err != nil {
		return nil, fmt.Errorf("take the lock on the state of %s in %s: %w", pipeline, e.Options.Environment, err)
	}
	return lease, nil
}
