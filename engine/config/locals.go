package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
)

// phase says when a local is evaluated: early ones serve for_each; late ones hold references, which exist only after
// for_each.
type phase uint8

const (
	early phase = iota
	late
)

type local struct {
	name   string
	attr   *hclsyntax.Attribute
	deps   []*local
	phase  phase
	state  uint8 // of the walk in evalLocal
	cyclic bool  // reported already, and left unknown
	value  cty.Value
}

const (
	untouched uint8 = iota
	walking
	settled
)

// declareLocals collects all locals, their dependencies and their phases.
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
			l.locals[a.Name] = &local{name: a.Name, attr: a, value: cty.DynamicVal}
		}
	}
	for _, name := range sortedKeys(l.locals) {
		lo := l.locals[name]
		for _, t := range lo.attr.Expr.Variables() {
			switch t.RootName() {
			case "local":
				if dep := l.locals[member(t)]; dep != nil {
					lo.deps = append(lo.deps, dep)
				}
			case string(addr.Input), string(addr.Stage), string(addr.Publish):
				lo.phase = late
			}
		}
	}
	l.cutCycles()
}

// cutCycles reports each cycle among the locals once, and finds which locals are late through others.
func (l *loader) cutCycles() {
	var path []*local
	var walk func(lo *local)
	walk = func(lo *local) {
		lo.state = walking
		path = append(path, lo)
		kept := lo.deps[:0]
		for _, dep := range lo.deps {
			if dep.state == walking {
				l.localCycle(path, dep)
				continue
			}
			if dep.state == untouched {
				walk(dep)
			}
			if dep.phase == late {
				lo.phase = late
			}
			kept = append(kept, dep)
		}
		lo.deps = kept
		lo.state = settled
		path = path[:len(path)-1]
	}
	for _, name := range sortedKeys(l.locals) {
		if l.locals[name].state == untouched {
			walk(l.locals[name])
		}
	}
	for _, lo := range l.locals {
		lo.state = untouched
	}
}

func (l *loader) localCycle(path []*local, back *local) {
	i := 0
	for path[i] != back {
		i++
	}
	var names []string
	for _, lo := range path[i:] {
		lo.cyclic = true
		names = append(names, "local."+lo.name)
	}
	names = append(names, "local."+back.name)
	last := path[len(path)-1]
	l.errorf("config.local_cycle", last.attr.NameRange, "Locals in a cycle",
		"%s: each needs the value of the next, so none can be found. Give one of them a value that does not need the others.",
		strings.Join(names, " -> "))
}

// evalLocals evaluates the locals of a phase, each after those it depends on.
func (l *loader) evalLocals(ph phase) {
	names := sortedKeys(l.locals)
	reach := refVar | refPipe | refLocal
	if ph == late {
		reach = refEverything
	}
	for _, name := range names {
		if l.locals[name].phase == ph {
			l.evalLocal(l.locals[name], reach)
		}
	}
	if len(names) == 0 {
		return
	}
	vals := make(map[string]cty.Value, len(names))
	for _, name := range names {
		vals[name] = l.locals[name].value
	}
	l.root.Variables["local"] = cty.ObjectVal(vals)
}

func (l *loader) evalLocal(lo *local, reach reach) {
	if lo.state != untouched {
		return
	}
	lo.state = settled
	if lo.cyclic {
		return
	}
	ev := l.static("locals", reach)
	if len(lo.deps) > 0 {
		vals := make(map[string]cty.Value, len(lo.deps))
		for _, dep := range lo.deps {
			l.evalLocal(dep, reach)
			vals[dep.name] = dep.value
		}
		ev.ctx = l.root.NewChild()
		ev.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(vals)}
	}
	lo.value, _ = l.eval(lo.attr.Expr, ev)
}
