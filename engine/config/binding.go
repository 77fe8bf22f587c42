package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
)

// phase says when a local is evaluated: early ones serve for_each; late ones hold references or outputs of modules,
// which exist only after for_each.
type phase uint8

const (
	early phase = iota
	late
)

// binding is a local, or the outputs of a module block: a name whose value may need those of other bindings.
type binding struct {
	name   string
	spell  string // local.name, module.name
	at     hcl.Range
	attr   *hclsyntax.Attribute // of a local
	call   *call                // of a module block
	deps   []*binding
	needs  reach // refNode and refModule, where the value holds such
	state  uint8 // of the walk
	cyclic bool  // reported already, and left unknown
	value  cty.Value
}

const (
	untouched uint8 = iota
	walking
	settled
)

func (b *binding) phase() phase {
	if b.needs != 0 {
		return late
	}
	return early
}

// declareLocals collects all locals.
func (l *loader) declareLocals() {
	for _, b := range l.top.locals {
		for _, n := range b.Body.Blocks {
			l.errorf("config.unknown_block", n.TypeRange, "Unknown block type",
				"A locals block has lines name = value and no blocks, and %q is one.", n.Type)
		}
		for _, a := range sortedAttrs(b.Body.Attributes) {
			if prev := l.locals[a.Name]; prev != nil {
				l.duplicate("local."+a.Name, a.NameRange, prev.attr.NameRange)
				continue
			}
			l.locals[a.Name] = &binding{name: a.Name, spell: "local." + a.Name, at: a.NameRange, attr: a, value: cty.DynamicVal}
		}
	}
}

// bindings lists the locals and then the module blocks, by name.
func (l *loader) bindings() []*binding {
	list := make([]*binding, 0, len(l.locals)+len(l.calls))
	for _, name := range sortedKeys(l.locals) {
		list = append(list, l.locals[name])
	}
	for _, name := range sortedKeys(l.calls) {
		list = append(list, &l.calls[name].binding)
	}
	return list
}

// orderBindings finds what each binding depends on, and reports cycles.
func (l *loader) orderBindings() {
	all := l.bindings()
	for _, b := range all {
		if b.attr != nil {
			l.dependencies(b, b.attr.Expr)
			continue
		}
		b.needs |= refModule
		for _, a := range sortedAttrs(b.call.src.Body.Attributes) {
			l.dependencies(b, a.Expr)
		}
	}
	l.cutCycles(all)
}

func (l *loader) dependencies(b *binding, expr hclsyntax.Expression) {
	for _, t := range expr.Variables() {
		switch t.RootName() {
		case "local":
			if dep := l.locals[member(t)]; dep != nil {
				b.deps = append(b.deps, dep)
			}
		case "module":
			b.needs |= refModule
			if c := l.calls[member(t)]; c != nil {
				b.deps = append(b.deps, &c.binding)
			}
		case string(addr.Input), string(addr.Stage), string(addr.Publish):
			b.needs |= refNode
		}
	}
}

// cutCycles reports each cycle among the bindings once, and finds which of them are late through others.
func (l *loader) cutCycles(all []*binding) {
	var path []*binding
	var walk func(b *binding)
	walk = func(b *binding) {
		b.state = walking
		path = append(path, b)
		kept := b.deps[:0]
		for _, dep := range b.deps {
			if dep.state == walking {
				l.bindingCycle(path, dep)
				continue
			}
			if dep.state == untouched {
				walk(dep)
			}
			b.needs |= dep.needs
			kept = append(kept, dep)
		}
		b.deps = kept
		b.state = settled
		path = path[:len(path)-1]
	}
	for _, b := range all {
		if b.state == untouched {
			walk(b)
		}
	}
	for _, b := range all {
		b.state = untouched
	}
}

func (l *loader) bindingCycle(path []*binding, back *binding) {
	i := 0
	for path[i] != back {
		i++
	}
	modules := false
	var names []string
	for _, b := range path[i:] {
		b.cyclic = true
		modules = modules || b.call != nil
		names = append(names, b.spell)
	}
	names = append(names, back.spell)
	last := path[len(path)-1]
	if modules {
		l.errorf("config.module_cycle", last.at, "Modules in a cycle",
			"%s: each needs the outputs of the next, so none can be loaded. Move the nodes that both sides need into a module of their own, or out of the modules.",
			strings.Join(names, " -> "))
		return
	}
	l.errorf("config.local_cycle", last.at, "Locals in a cycle",
		"%s: each needs the value of the next, so none can be found. Give one of them a value that does not need the others.",
		strings.Join(names, " -> "))
}

// evalBindings evaluates the bindings of a phase, each after those it depends on.
func (l *loader) evalBindings(ph phase) {
	for _, b := range l.bindings() {
		if b.phase() == ph {
			l.evalBinding(b, ph)
		}
	}
	if len(l.locals) > 0 {
		vals := make(map[string]cty.Value, len(l.locals))
		for name, b := range l.locals {
			vals[name] = b.value
		}
		l.root.Variables["local"] = cty.ObjectVal(vals)
	}
	if len(l.calls) > 0 && ph == late {
		vals := make(map[string]cty.Value, len(l.calls))
		for name, c := range l.calls {
			vals[name] = c.value
		}
		l.root.Variables["module"] = cty.ObjectVal(vals)
	}
}

func (l *loader) evalBinding(b *binding, ph phase) {
	if b.state != untouched {
		return
	}
	b.state = settled
	if b.cyclic {
		return
	}
	for _, dep := range b.deps {
		l.evalBinding(dep, ph)
	}
	if b.call != nil {
		l.loadCall(b.call)
		return
	}
	reach := refVar | refPipe | refLocal
	if ph == late {
		reach = refEverything
	}
	ev := l.static("locals", reach)
	ev.ctx = b.within(l.root)
	b.value, _ = l.eval(b.attr.Expr, ev)
}

// within is a context in which the bindings that b depends on have their values, which others need not have yet.
func (b *binding) within(ctx *hcl.EvalContext) *hcl.EvalContext {
	if len(b.deps) == 0 {
		return ctx
	}
	locals, modules := map[string]cty.Value{}, map[string]cty.Value{}
	for _, dep := range b.deps {
		if dep.call != nil {
			modules[dep.name] = dep.value
		} else {
			locals[dep.name] = dep.value
		}
	}
	child := ctx.NewChild()
	child.Variables = map[string]cty.Value{"local": cty.ObjectVal(locals), "module": cty.ObjectVal(modules)}
	return child
}
