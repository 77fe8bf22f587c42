package config

import (
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/diag"
	"pipe/engine/stage"
)

// LoadOptions is everything that decides what a plan file means. Nothing else does: no clock, no working directory of
// the process, no environment variable that Getenv does not give.
type LoadOptions struct {
	Path        string // the plan file, or the directory of plan files; absolute, or relative to WorkDir
	WorkDir     string // absolute
	Environment string // pipe.env
	Version     string // of pipe, for required_version; "" satisfies every constraint
	Registry    *stage.Registry
	Vars        map[string]string // --var
	VarFiles    []string          // --var-file, later ones win; absolute, or relative to WorkDir
	// Getenv reads the environment, for env(), secret() and PIPE_VAR_name. Nil is an empty environment.
	Getenv func(name string) (string, bool)
	// ConfigTopic gives the values of config("topic"), with an Origin mark on each leaf. Nil: there is no configuration.
	ConfigTopic func(topic string) (cty.Value, error)
	// Saved is an absolute directory where the decoded form of a large plan is kept and taken from while everything that was
	// read for it is the same; "" is none.
	Saved string
	// MissingSecretsOK lets secret("NAME") succeed where NAME is not set, as static checks do on machines without secrets.
	MissingSecretsOK bool
}

// Load reads, checks and decodes the plan files. The Pipeline is never nil: with errors it holds at least Sources, so
// that the diagnostics can be shown with excerpts, and it must not be used for anything else.
func Load(opts LoadOptions) (*Pipeline, hcl.Diagnostics) {
	if p := restore(opts); p != nil {
		return p, nil
	}
	l := newLoader(opts)
	l.load()
	l.finish()
	l.save()
	return l.p, l.diags
}

// loading is what the modules of one Load share. Diagnostics are added as mistakes are found.
type loading struct {
	opts      LoadOptions
	p         *Pipeline
	diags     hcl.Diagnostics
	seen      map[string]bool // diagnostics already given
	paths     stage.Env       // WorkDir and Roots, to confine paths
	types     map[stage.Type]*typeInfo
	addresses map[string]addr.Addr // by the address in a handle
	topics    map[string]topic
	suites    map[string]suite
	targets   map[string]target
	sources   map[string]*moduleSource // by absolute directory
	declared  map[addr.Addr]declaration
	redact    []string // values of sensitive variables
	reads     readSet
}

// loader holds what the phases of one module share: of the plan itself, which is the root, or of one instance of a module
// block. A value that could not be found out is cty.DynamicVal from then on, and what depends on it is left out without a
// further diagnostic.
type loader struct {
	*loading
	path    string      // the module's address, "" for the root
	parent  *loader     // nil for the root
	after   []addr.Addr // what every node of the module comes after
	planDir string      // absolute
	root    *hcl.EvalContext
	top     topLevel
	vars    map[string]*variable
	locals  map[string]*binding
	calls   map[string]*call
	blocks  map[addr.Addr]*block
	names   map[addr.Kind][]string // of declared blocks, sorted
}

func newLoader(opts LoadOptions) *loader {
	if opts.Getenv == nil {
		opts.Getenv = func(string) (string, bool) { return "", false }
	}
	if opts.Registry == nil {
		opts.Registry = stage.NewRegistry()
	}
	opts.WorkDir = filepath.Clean(opts.WorkDir)
	l := (&loading{
		opts: opts,
		p: &Pipeline{
			Environment: opts.Environment,
			WorkDir:     opts.WorkDir,
			Settings:    defaultSettings(),
			Sources:     map[string]*hcl.File{},
		},
		seen:      map[string]bool{},
		paths:     stage.Env{WorkDir: opts.WorkDir},
		types:     map[stage.Type]*typeInfo{},
		addresses: map[string]addr.Addr{},
		topics:    map[string]topic{},
		suites:    map[string]suite{},
		targets:   map[string]target{},
		sources:   map[string]*moduleSource{},
		reads:     readSet{},
	}).module()
	l.root.Functions = l.functions()
	return l
}

// module returns an empty module.
func (shared *loading) module() *loader {
	return &loader{
		loading: shared,
		vars:    map[string]*variable{},
		locals:  map[string]*binding{},
		calls:   map[string]*call{},
		blocks:  map[addr.Addr]*block{},
		names:   map[addr.Kind][]string{},
		root: &hcl.EvalContext{Variables: map[string]cty.Value{
			"var": cty.EmptyObjectVal, "local": cty.EmptyObjectVal, "pipe": cty.EmptyObjectVal, "module": cty.EmptyObjectVal,
			"input": cty.EmptyObjectVal, "stage": cty.EmptyObjectVal, "publish": cty.EmptyObjectVal,
		}},
	}
}

// load runs the phases in order. Work stops between phases where the next one would only repeat the mistake.
func (l *loader) load() {
	if !l.readSources() {
		return
	}
	if !l.requiredVersion() {
		return
	}
	l.pipeObject("")
	l.loadVariables()
	l.loadSettings()
	l.pipeObject(l.p.Name)
	l.loadBlocks()
	l.p.Outputs = l.outputs(refStatic | refModule)
	l.checkMoves()
	l.loadImports()
}

// loadBlocks runs the phases that the root and the modules have in common, once the variables are known.
func (l *loader) loadBlocks() {
	l.declareLocals()
	l.declareCalls()
	l.orderBindings()
	l.declareBlocks()
	l.evalBindings(early)
	l.expandBlocks()
	l.makeHandles()
	l.evalBindings(late)
	l.decodeBlocks()
	l.loadMoves()
}

// address returns the address of a block of this module.
func (l *loader) address(kind addr.Kind, name string) addr.Addr {
	return addr.Addr{Module: l.path, Kind: kind, Name: name}
}

// pipeObject sets pipe.env, pipe.dir and, once it is known, pipe.name.
func (l *loader) pipeObject(name string) {
	dir, err := filepath.Rel(l.opts.WorkDir, l.planDir)
	if err != nil {
		dir = l.planDir
	}
	attrs := map[string]cty.Value{
		"env": cty.StringVal(l.opts.Environment),
		"dir": cty.StringVal(filepath.ToSlash(dir)),
	}
	if name != "" {
		attrs["name"] = cty.StringVal(name)
	}
	l.root.Variables["pipe"] = cty.ObjectVal(attrs)
}

func (l *loader) finish() {
	sort.SliceStable(l.p.Nodes, func(i, j int) bool { return l.p.Nodes[i].Addr.Compare(l.p.Nodes[j].Addr) < 0 })
	sort.SliceStable(l.p.Notifiers, func(i, j int) bool {
		return l.p.Notifiers[i].Addr.Compare(l.p.Notifiers[j].Addr) < 0
	})
	sort.SliceStable(l.p.Outputs, func(i, j int) bool { return l.p.Outputs[i].Name < l.p.Outputs[j].Name })
	if len(l.redact) > 0 { // longest first, because one may be part of another
		sort.SliceStable(l.redact, func(i, j int) bool { return len(l.redact[i]) > len(l.redact[j]) })
		for _, d := range l.diags {
			l.redactDiag(d)
		}
	}
}

// redactDiag takes the values of sensitive variables out of a diagnostic. The expression goes too, because writers of
// diagnostics print the values of the variables in it.
func (l *loader) redactDiag(d *hcl.Diagnostic) {
	d.Expression, d.EvalContext = nil, nil
	for _, secret := range l.redact {
		d.Summary = redactText(d.Summary, secret)
		d.Detail = redactText(d.Detail, secret)
	}
}

const redacted = "(sensitive value)"

// redactText replaces secret in text. A very short one is replaced only where it stands alone, because otherwise
// nothing of the text would be left.
func redactText(text, secret string) string {
	if len(secret) >= 4 {
		return strings.ReplaceAll(text, secret, redacted)
	}
	alone, err := regexp.Compile(`(^|[^\pL\pN])` + regexp.QuoteMeta(secret) + `($|[^\pL\pN])`)
	if err != nil {
		return text
	}
	return alone.ReplaceAllString(text, "${1}"+redacted+"${2}")
}

// errorf adds an error.
func (l *loader) errorf(code diag.Code, at hcl.Range, summary, format string, args ...any) {
	l.add(diag.Error(code, at.Ptr(), summary, format, args...))
}

// add adds diagnostics, each once: the instances of a block repeat the mistakes of the block.
func (l *loader) add(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		key := d.Summary + "\x00" + d.Detail
		if d.Subject != nil {
			key += "\x00" + d.Subject.String()
		}
		if !l.seen[key] {
			l.seen[key] = true
			l.diags = append(l.diags, d)
		}
	}
}

// suite is a suite file that was read.
type suite struct {
	list []check.Expectation
	err  error
}
