package config

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/diag"
)

func defaultSettings() Settings {
	return Settings{
		State:    Backend{Type: "file", Path: ".pipe/state"},
		Store:    Backend{Type: "file", Path: ".pipe/store"},
		Executor: "local",
	}
}

var pipelineName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// loadSettings decodes the pipe block. It may use variables and functions, and nothing that depends on it.
func (l *loader) loadSettings() {
	for i, b := range l.top.pipe {
		if i > 0 {
			l.duplicate("the pipe block", b.DefRange(), l.top.pipe[0].DefRange())
			continue
		}
		l.pipeBlock(b)
	}
}

func (l *loader) pipeBlock(b *hclsyntax.Block) {
	ev := l.static("the pipe block", refVar|refPipe)
	names := []string{"required_version", "name", "allow_paths", "state", "store", "executor", "approval"}
	for _, a := range sortedAttrs(b.Body.Attributes) {
		switch a.Name {
		case "required_version":
		case "name":
			if s, ok := l.stringOf(a, ev); ok {
				if !pipelineName.MatchString(s) {
					l.errorf("config.name", a.Expr.Range(), "Invalid name",
						"%q cannot name a pipeline: a name has letters, digits, _, - and dots, and starts with a letter, a digit or _.", s)
					continue
				}
				l.p.Name = s
			}
		case "allow_paths":
			l.allowPaths(a, ev)
		default:
			l.unknownAttr(a, "the pipe block", names)
		}
	}
	first := map[string]*hclsyntax.Block{}
	for _, n := range b.Body.Blocks {
		if prev := first[n.Type]; prev != nil {
			l.duplicate("the block "+n.Type, n.DefRange(), prev.DefRange())
			continue
		}
		first[n.Type] = n
		switch n.Type {
		case "state":
			l.backend(n, &l.p.Settings.State, ev)
		case "store":
			l.backend(n, &l.p.Settings.Store, ev)
		case "executor":
			l.executor(n, ev)
		case "approval":
			l.approval(n, ev)
		default:
			l.errorf("config.unknown_block", n.TypeRange, "Unknown block type",
				"The pipe block has no blocks %q.%s It may have state, store, executor and approval.",
				n.Type, diag.DidYouMean(n.Type, names))
		}
	}
}

// backendType returns the one label of a state, store or executor block if this version supports it.
func (l *loader) backendType(b *hclsyntax.Block, supported string) bool {
	if len(b.Labels) != 1 {
		l.errorf("config.labels", b.DefRange(), "Wrong labels of a block", "Write %s: %s.",
			blockShape(b.Type, []string{supported}), labelCount(1, len(b.Labels)))
		return false
	}
	if b.Labels[0] != supported {
		l.errorf("config.backend", b.LabelRanges[0], "Unsupported backend",
			"This version of pipe has no %s %q.%s Supported: %s %q.",
			b.Type, b.Labels[0], diag.DidYouMean(b.Labels[0], []string{supported}), b.Type, supported)
		return false
	}
	return true
}

func (l *loader) backend(b *hclsyntax.Block, to *Backend, ev evaluation) {
	if !l.backendType(b, "file") {
		return
	}
	for _, a := range sortedAttrs(b.Body.Attributes) {
		if a.Name != "path" {
			l.unknownAttr(a, b.Type+` "file"`, []string{"path"})
			continue
		}
		s, ok := l.stringOf(a, ev)
		switch {
		case ok && strings.TrimSpace(s) == "":
			l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "The path of the %s must not be empty.", b.Type)
		case ok:
			to.Path = s
		}
	}
	l.noBlocks(b)
}

func (l *loader) executor(b *hclsyntax.Block, ev evaluation) {
	if !l.backendType(b, "local") {
		return
	}
	for _, a := range sortedAttrs(b.Body.Attributes) {
		if a.Name != "parallelism" {
			l.unknownAttr(a, `executor "local"`, []string{"parallelism"})
			continue
		}
		if n, ok := l.wholeOf(a, ev, 1, 4096); ok {
			l.p.Settings.Parallelism = n
		}
	}
	l.noBlocks(b)
}

func (l *loader) allowPaths(a *hclsyntax.Attribute, ev evaluation) {
	v, ok := l.plain(a, cty.List(cty.String), ev)
	if !ok {
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.AsString() == "" {
			l.errorf("config.bad_value", a.Expr.Range(), "Invalid value",
				"allow_paths is a list of directories, and one of them is empty.")
			continue
		}
		dir := e.AsString()
		l.p.Settings.AllowPaths = append(l.p.Settings.AllowPaths, dir)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(l.opts.WorkDir, dir)
		}
		l.paths.Roots = append(l.paths.Roots, filepath.Clean(dir))
	}
}

func (l *loader) noBlocks(b *hclsyntax.Block) {
	for _, n := range b.Body.Blocks {
		l.errorf("config.unknown_block", n.TypeRange, "Unknown block type", "A %s block has no blocks in it, and %q is one.",
			b.Type, n.Type)
	}
}
