package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/diag"
)

// call is a module block with its instances, each of which is loaded as a module of its own.
type call struct {
	binding
	family
	dir      string // absolute
	source   *moduleSource
	children []*loader // of the instances
}

// moduleSource is the content of a module's directory, read once.
type moduleSource struct {
	top       topLevel
	variables []string // sorted
	outputs   []string // sorted
	ok        bool
}

// callArguments are what a module block may have besides the variables of the module.
func callArguments() []string { return []string{"source", "for_each", "depends_on", "enabled"} }

// declareCalls finds the names and directories of the modules that are called.
func (l *loader) declareCalls() {
	for _, src := range l.top.modules {
		name := src.Labels[0]
		if prev := l.calls[name]; prev != nil {
			l.duplicate("module."+name, src.DefRange(), prev.src.DefRange())
			continue
		}
		c := &call{family: newFamily(addr.Module(l.path, name), src)}
		c.binding = binding{name: name, spell: "module." + name, at: src.DefRange(), call: c, value: cty.DynamicVal}
		l.calls[name] = c
		c.failed = !l.locate(c)
	}
}

// locate finds the module's directory and reads it.
func (l *loader) locate(c *call) bool {
	a := c.src.Body.Attributes["source"]
	if a == nil {
		l.errorf("config.missing_attribute", c.family.at, "Missing attribute",
			`A module block needs source, the directory of the module, such as source = "./modules/%s".`, c.name)
		return false
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		l.errorf("config.module_source", a.Expr.Range(), "Invalid source of a module",
			`source must be a literal string such as "./modules/%s", so that the files of a plan can be found without evaluating it.`, c.name)
		return false
	}
	source := v.AsString()
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		l.errorf("config.module_source", a.Expr.Range(), "Invalid source of a module", "%s", notLocal(source))
		return false
	}
	c.dir = filepath.Join(l.planDir, source)
	if _, err := l.paths.Path(c.dir); err != nil || !l.inside(c.dir) {
		l.errorf("config.path_outside", a.Expr.Range(), "Path outside of the working directory",
			"source is %q, which leads out of the working directory. If that is meant, add its directory to allow_paths in the pipe block.", source)
		return false
	}
	chain := l.display(c.dir)
	for p := l; p != nil; p = p.parent {
		chain = l.display(p.planDir) + " -> " + chain
		if p.planDir == c.dir {
			l.errorf("config.module_cycle", a.Expr.Range(), "Modules in a cycle",
				"%s: the module calls itself, so it would never end. Take this module block away, or give it another source.", chain)
			return false
		}
	}
	c.source = l.readModule(c, a.Expr.Range())
	return c.source.ok
}

func notLocal(source string) string {
	remote := strings.Contains(source, "://") || strings.Contains(source, "::") || strings.Contains(source, "@") ||
		strings.Count(source, "/") >= 2 && !filepath.IsAbs(source)
	switch {
	case remote:
		return fmt.Sprintf("The source %q is not in the project, and modules are read from local directories only: what a plan does must be in its own repository. Copy the module into the project and write its directory, such as \"./modules/NAME\".", source)
	case filepath.IsAbs(source):
		return fmt.Sprintf("The source %q is an absolute path, which is another one on each machine. Write it relative to this file, starting with ./ or ../.", source)
	}
	return fmt.Sprintf("The source %q must start with ./ or ../, because it is a directory relative to this file. Did you mean %q?", source, "./"+source)
}

// readModule reads the plan files of a module's directory, once.
func (l *loader) readModule(c *call, at hcl.Range) *moduleSource {
	if s := l.sources[c.dir]; s != nil {
		return s
	}
	s := &moduleSource{}
	l.sources[c.dir] = s
	info, err := os.Stat(c.dir)
	l.reads.add(readKind, c.dir, kindOf(info, err))
	if err != nil || !info.IsDir() {
		why := "it is no directory"
		if err != nil {
			why = reason(err)
		}
		l.errorf("config.module_source", at, "Module cannot be read", "The directory %s of module.%s cannot be read: %s.", l.display(c.dir), c.name, why)
		return s
	}
	files, ok := l.dirFiles(c.dir)
	if ok && len(files) == 0 {
		l.errorf("config.module_source", at, "Module cannot be read", "The directory %s of module.%s has no *.hcl files.", l.display(c.dir), c.name)
		return s
	}
	for _, f := range files {
		body, good := l.parseFile(f)
		if ok = ok && good && body != nil; ok {
			s.top.collect(l, body)
		}
	}
	for _, b := range s.top.pipe {
		l.errorf("config.module_block", b.DefRange(), "Block not possible in a module",
			"%s is a module, and settings belong to the plan that calls it. Move the pipe block there.", l.display(c.dir))
	}
	for _, b := range s.top.imports {
		l.errorf("config.module_block", b.DefRange(), "Block not possible in a module",
			"%s is a module, and what is imported is a matter of the plan that calls it. Move the import block there, with to = module.%s.…", l.display(c.dir), c.name)
	}
	names := map[string]bool{}
	for _, b := range s.top.variables {
		names[b.Labels[0]] = true
		if containsString(callArguments(), b.Labels[0]) {
			l.errorf("config.name", b.LabelRanges[0], "Invalid name",
				"A module's variable cannot be called %q, because the module block has an argument of that name.", b.Labels[0])
		}
	}
	s.variables = sortedKeys(names)
	names = map[string]bool{}
	for _, b := range s.top.outputs {
		names[b.Labels[0]] = true
	}
	s.outputs, s.ok = sortedKeys(names), ok
	return s
}

// loadCall loads every instance of a module; what the module block depends on has its value.
func (l *loader) loadCall(c *call) {
	if c.failed || c.disabled || !l.checkArguments(c) {
		c.failed = c.failed || !c.disabled
		return
	}
	group := make(map[string]cty.Value, len(c.instances))
	for _, in := range c.instances {
		in.ev.ctx = c.within(in.ev.ctx)
		value := l.loadInstance(c, in)
		if !c.keyed {
			c.value = value
			return
		}
		group[in.key] = value
	}
	c.value = cty.ObjectVal(group)
}

// checkArguments refuses what is neither an argument of a module block nor a variable of the module.
func (l *loader) checkArguments(c *call) bool {
	ok := true
	known := append(callArguments(), c.source.variables...)
	for _, a := range sortedAttrs(c.src.Body.Attributes) {
		if !containsString(known, a.Name) {
			l.unknownAttr(a, "the module "+l.display(c.dir), known)
			ok = false
		}
	}
	for _, b := range c.src.Body.Blocks {
		l.errorf("config.unknown_block", b.TypeRange, "Unknown block type",
			"A module block has no blocks in it, and %q is one. What the module's nodes need is given as its variables.", b.Type)
		ok = false
	}
	return ok
}

// loadInstance loads one instance and returns the object of its outputs.
func (l *loader) loadInstance(c *call, in instance) cty.Value {
	child := l.loading.module()
	child.parent, child.path, child.planDir, child.top = l, in.addr.Module, c.dir, c.source.top
	child.root.Functions = l.root.Functions
	child.after = append(child.after, l.after...)
	if a := c.src.Body.Attributes["depends_on"]; a != nil {
		in.ev.where = "depends_on"
		after, ok := l.references(a, in.ev)
		if !ok {
			return cty.DynamicVal
		}
		child.after = append(child.after, after...)
	}
	c.children = append(c.children, child)
	child.pipeObject(l.p.Name)
	child.moduleVariables(l, c, in)
	child.loadBlocks()
	vals := map[string]cty.Value{}
	for _, name := range c.source.outputs {
		vals[name] = cty.DynamicVal // until it is known
	}
	for _, o := range child.outputs(refEverything) {
		vals[o.Name] = o.Value
		if o.Sensitive {
			l.redact = append(l.redact, leaves(o.Value)...)
			vals[o.Name] = o.Value.Mark(sensitiveMark{c.addr.String() + "." + o.Name})
		}
	}
	return cty.ObjectVal(vals)
}

// members lists all nodes of the module and of those in it.
func (l *loader) members() []addr.Addr {
	var list []addr.Addr
	for _, b := range l.sortedBlocks() {
		for _, in := range b.instances {
			if b.addr.Kind != addr.Notify {
				list = append(list, in.addr)
			}
		}
	}
	for _, name := range sortedKeys(l.calls) {
		for _, child := range l.calls[name].children {
			list = append(list, child.members()...)
		}
	}
	return list
}

// checkModuleRef checks module.NAME.OUTPUT and module.NAME["key"].OUTPUT.
func (l *loader) checkModuleRef(t hcl.Traversal, ev evaluation) *hcl.Diagnostic {
	name := member(t)
	c := l.calls[name]
	if ev.reach&refModule == 0 && c != nil {
		return outputTooEarly(t, spell(t)+" is an output of a module", ev)
	}
	if c == nil {
		return l.checkMember(t, evaluation{reach: refModule, where: ev.where}, refModule, "module", false, func() []string { return sortedKeys(l.calls) })
	}
	rest, d, ok := c.checkInstance(t)
	if !ok || len(rest) == 0 {
		return d
	}
	if out := stepName(rest[0]); c.source != nil && !containsString(c.source.outputs, out) {
		hint := diag.DidYouMean(out, c.source.outputs)
		if hint == "" && len(c.source.outputs) > 0 && len(c.source.outputs) <= 8 {
			hint = " Its outputs are " + strings.Join(c.source.outputs, ", ") + "."
		}
		return refError(t, "config.unknown_reference", "Unknown reference",
			"The module %s has no output %q.%s What a module gives to its caller are its output blocks.", l.display(c.dir), out, hint)
	}
	return nil
}

func outputTooEarly(t hcl.Traversal, what string, ev evaluation) *hcl.Diagnostic {
	return refError(t, "config.reference_here", "Reference not possible here",
		"%s, and %s is evaluated before modules are loaded. Use literals, variables and configuration here.", what, ev.where)
}

// references evaluates depends_on: nodes, and modules for all of their nodes.
func (l *loader) references(a *hclsyntax.Attribute, ev evaluation) ([]addr.Addr, bool) {
	seen := map[addr.Addr]bool{}
	exprs := []hclsyntax.Expression{a.Expr}
	if tuple, ok := a.Expr.(*hclsyntax.TupleConsExpr); ok {
		exprs = tuple.Exprs
	}
	good := true
	for _, expr := range exprs {
		list, isModule, ok := l.moduleNodes(expr, ev)
		if !isModule {
			list, ok = l.nodesIn(a, expr, len(exprs) == 1 && expr == a.Expr, ev)
		}
		good = good && ok
		for _, to := range list {
			seen[to] = true
		}
	}
	list := make([]addr.Addr, 0, len(seen))
	for to := range seen {
		list = append(list, to)
	}
	sortAddrs(list)
	return list, good
}

// moduleNodes returns the nodes of the module, or of the instance of it, that expr names.
func (l *loader) moduleNodes(expr hclsyntax.Expression, ev evaluation) (list []addr.Addr, isModule, ok bool) {
	key := ""
	if index, is := expr.(*hclsyntax.IndexExpr); is {
		if st, is := index.Collection.(*hclsyntax.ScopeTraversalExpr); is && st.Traversal.RootName() == "module" {
			v, good := l.eval(index.Key, ev)
			v, _ = v.Unmark()
			if !good || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
				return nil, true, false
			}
			expr, key = st, v.AsString()
		}
	}
	st, is := expr.(*hclsyntax.ScopeTraversalExpr)
	if !is || st.Traversal.RootName() != "module" {
		return nil, false, true
	}
	t := st.Traversal
	if key != "" {
		t = append(t[:len(t):len(t)], hcl.TraverseIndex{Key: cty.StringVal(key), SrcRange: st.SrcRange})
	}
	if d := l.checkRef(t, ev); d != nil {
		l.add(d)
		return nil, true, false
	}
	c := l.calls[member(t)]
	rest, _, more := c.checkInstance(t)
	if !more {
		return nil, !c.failed, true
	}
	if len(rest) > 0 {
		return nil, false, true // an output
	}
	prefix := c.addr
	if len(t) > 2 {
		prefix = prefix.Instance(stepName(t[2]))
	}
	for _, child := range c.children {
		if prefix.Covers(addr.Addr{Module: child.path}) {
			list = append(list, child.members()...)
		}
	}
	return list, true, true
}
