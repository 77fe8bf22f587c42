package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/pflag"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/diag"
	"pipe/engine/plan"
	"pipe/engine/state"
	"pipe/engine/view"
)

// app is one invocation: the global flags and where output goes.
type app struct {
	deps   Deps
	stdout io.Writer // buffered
	flush  func() error
	stderr io.Writer

	env          string
	varTexts     []string
	varFiles     []string
	targetTexts  []string
	replaceTexts []string
	parallelism  int
	lockTimeout  time.Duration
	offline      bool // no publish target is asked
	json         bool
	noColor      bool
	chdir        string

	vars             map[string]string // read from the texts
	targets, replace []addr.Addr
}

func (a *app) globalFlags(f *pflag.FlagSet) {
	f.StringVar(&a.env, "env", "", "environment, by `name` (default: SERVICE_ENV, else dev)")
	f.StringArrayVar(&a.varTexts, "var", nil, "value of a variable, as `name=value`; may be repeated")
	f.StringArrayVar(&a.varFiles, "var-file", nil, "`file` with values of variables; may be repeated, later ones win")
	f.StringArrayVar(&a.targetTexts, "target", nil, "only this node and what it needs, by `address`; may be repeated")
	f.StringArrayVar(&a.replaceTexts, "replace", nil, "run this node again although nothing changed, by `address`; may be repeated")
	f.IntVar(&a.parallelism, "parallelism", 0, "run at most `n` nodes at the same time (default: as the plan file says, else 4)")
	f.DurationVar(&a.lockTimeout, "lock-timeout", 0, "how long to wait for the lock on the state, such as 30s")
	f.BoolVar(&a.json, "json", false, "one JSON object a line on standard output")
	f.BoolVar(&a.noColor, "no-color", false, "no colours")
	f.StringVar(&a.chdir, "chdir", "", "`directory` to work in")
}

// readGlobals reads the values of global flags, before any command does anything.
func (a *app) readGlobals() (err error) {
	a.vars = make(map[string]string, len(a.varTexts))
	for _, v := range a.varTexts {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return usagef("--var %s: write name=value", v)
		}
		a.vars[name] = value
	}
	if a.targets, err = addresses("--target", a.targetTexts); err != nil {
		return err
	}
	if a.replace, err = addresses("--replace", a.replaceTexts); err != nil {
		return err
	}
	if a.parallelism < 0 {
		return usagef("--parallelism must be at least 1")
	}
	if a.lockTimeout < 0 {
		return usagef("--lock-timeout must not be negative")
	}
	_, err = a.workDir()
	return err
}

// workDir is the absolute directory that relative paths are relative to.
func (a *app) workDir() (string, error) {
	dir, err := filepath.Abs(a.chdir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", usagef("--chdir %s: there is no such directory", a.chdir)
	}
	return dir, nil
}

// path makes an argument absolute.
func (a *app) path(p string) (string, error) {
	dir, err := a.workDir()
	if err != nil || filepath.IsAbs(p) {
		return p, err
	}
	return filepath.Join(dir, p), nil
}

// engine makes the engine for this invocation.
func (a *app) engine() (*engine.Engine, error) {
	dir, err := a.workDir()
	if err != nil {
		return nil, err
	}
	now, err := clock()
	if err != nil {
		return nil, err
	}
	log, err := a.logger()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Options{WorkDir: dir, Environment: a.env, Version: a.deps.Version, Registry: a.deps.Registry,
		Evaluator: a.deps.Evaluator, Now: now, Getenv: os.LookupEnv, Log: log})
}

// epochVariable fixes the clock of records, for builds that are reproduced.
const epochVariable = "SOURCE_DATE_EPOCH"

func clock() (func() time.Time, error) {
	text, ok := os.LookupEnv(epochVariable)
	if !ok || text == "" {
		return time.Now, nil
	}
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil || sec < 0 {
		return nil, fmt.Errorf("%s=%s: it must be a whole number of seconds since 1970", epochVariable, text)
	}
	at := time.Unix(sec, 0).UTC()
	return func() time.Time { return at }, nil
}

// logger is for operators: silent unless PIPE_LOG names a level.
func (a *app) logger() (hclog.Logger, error) {
	text := os.Getenv("PIPE_LOG")
	if text == "" {
		return hclog.NewNullLogger(), nil
	}
	level := hclog.LevelFromString(text)
	if level == hclog.NoLevel {
		return nil, fmt.Errorf("PIPE_LOG=%s: use one of trace, debug, info, warn, error", text)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "pipe", Level: level, Output: a.stderr}), nil
}

// source says which plan files to load.
func (a *app) source(path string) engine.Source {
	if path == "" {
		path = "."
	}
	return engine.Source{Path: path, Vars: a.vars, VarFiles: a.varFiles}
}

// secrets says whether plan files may name secrets that are not set.
type secrets int

const (
	needSecrets secrets = iota
	secretsLater
)

// load makes an engine and loads plan files. Diagnostics are reported; with errors the command is done.
func (a *app) load(path string, need secrets) (*engine.Engine, *engine.Loaded, error) {
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	src := a.source(path)
	src.MissingSecretsOK = need == secretsLater
	l, diags := e.Load(src)
	if err := a.diagnose(l, diags); err != nil {
		return nil, nil, err
	}
	return e, l, nil
}

// plan loads plan files and proposes changes.
func (a *app) plan(ctx context.Context, path string, mode plan.Mode) (*engine.Engine, *engine.Loaded, *plan.Plan, error) {
	e, l, err := a.load(path, needSecrets)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := a.propose(ctx, e, l, mode)
	return e, l, p, err
}

// propose makes the plan for a loaded pipeline. Diagnostics are reported; with errors the command is done.
func (a *app) propose(ctx context.Context, e *engine.Engine, l *engine.Loaded, mode plan.Mode) (*plan.Plan, error) {
	p, diags := e.Plan(ctx, l, engine.PlanOptions{Mode: mode, Targets: a.targets, Replace: a.replace, Author: a.author(), Offline: a.offline})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return p, a.diagnose(l, diags)
}

func addresses(flag string, list []string) ([]addr.Addr, error) {
	var out []addr.Addr
	for _, s := range list {
		at, err := addr.Parse(s)
		if err != nil {
			return nil, usagef("%s: %w", flag, err)
		}
		out = append(out, at)
	}
	return out, nil
}

// diagnose reports diagnostics; with errors the command is done.
func (a *app) diagnose(l *engine.Loaded, diags hcl.Diagnostics) error {
	if a.json {
		view.NewJSONLines(a.stdout).Diagnostics(diags)
	} else if len(diags) > 0 {
		var sources map[string]*hcl.File
		if l != nil && l.Pipeline != nil {
			sources = l.Pipeline.Sources
		}
		a.flush()
		view.Diagnostics(a.stderr, sources, diags, a.styleOf(a.stderr))
	}
	if diags.HasErrors() {
		return done{ExitError}
	}
	return nil
}

// report says what went wrong, unless that was said already.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	if _, said := err.(done); said {
		return
	}
	var locked *state.LockedError
	switch {
	case exitOf(err) == ExitInterrupted:
		err = fmt.Errorf("interrupted")
	case errors.As(err, &locked) && locked.Holder.ID != "":
		err = fmt.Errorf("%w\n\nWait for it with --lock-timeout, such as 5m. If its holder is gone for certain:  pipe state unlock %s", err, locked.Holder.ID)
	}
	if a.json {
		view.NewJSONLines(a.stdout).Error(diag.Code(codeOf(err)), err)
		a.flush()
		return
	}
	view.Error(a.stderr, err, a.styleOf(a.stderr))
}

// warn reports what did not stop the command.
func (a *app) warn(code diag.Code, text string) {
	if a.json {
		view.NewJSONLines(a.stdout).Warning(code, text)
		return
	}
	a.flush()
	view.Warning(a.stderr, text, a.styleOf(a.stderr))
}

// actor is who acts, for records.
func (a *app) actor() string {
	if a.deps.Actor != "" {
		return a.deps.Actor
	}
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if name == "" {
		name = "uid-" + strconv.Itoa(os.Getuid())
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// author is who wants a plan: PIPE_AUTHOR where a machine makes plans for people, else who runs the command.
func (a *app) author() string {
	if name := os.Getenv("PIPE_AUTHOR"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(a.actor(), "@")
	return name
}

// revision is the commit of the working directory, with -dirty if tracked files differ from it; "" without git.
func (a *app) revision(ctx context.Context) string {
	dir, err := a.workDir()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-optional-locks"}, args...)...)
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	head, err := git("rev-parse", "--verify", "HEAD")
	if err != nil {
		return ""
	}
	if changed, err := git("status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		return head + "-dirty"
	}
	return head
}
