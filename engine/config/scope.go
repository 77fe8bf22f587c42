package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/addr"
	"pipe/engine/diag"
)

// reach is a set of what an expression may refer to.
type reach uint8

const (
	refVar reach = 1 << iota
	refPipe
	refLocal // locals that depend on no reference; all of them together with refNode
	refNode
	refModule
	refEach
	refEverything = refVar | refPipe | refLocal | refNode | refModule
)

// evaluation is where an expression is evaluated: its values, and what it may refer to.
type evaluation struct {
	ctx   *hcl.EvalContext
	reach reach
	where string // for messages: "for_each"
	memo  *memo  // of the block whose instances are evaluated
}

// static is an evaluation outside of the instances of a block.
func (l *loader) static(where string, may reach) evaluation {
	return evaluation{ctx: l.root, reach: may, where: where}
}

// checkRefs checks every reference in expr before it is evaluated, so that a name that is not there is found also in
// what try() or a condition would never reach, and so that the message can name what is there.
func (l *loader) checkRefs(expr hclsyntax.Expression, ev evaluation) bool {
	if ev.memo != nil {
		if ok, known := ev.memo.checked[expr]; known {
			return ok
		}
	}
	ok := true
	for _, t := range expr.Variables() {
		if d := l.checkRef(t, ev); d != nil {
			l.add(d)
			ok = false
		}
	}
	if ev.memo != nil {
		ev.memo.checked[expr] = ok
	}
	return ok
}

func (l *loader) checkRef(t hcl.Traversal, ev evaluation) *hcl.Diagnostic {
	root := t.RootName()
	switch root {
	case "var":
		return l.checkMember(t, ev, refVar, "variable", l.vars[member(t)] != nil, func() []string { return sortedKeys(l.vars) })
	case "local":
		return l.checkLocal(t, ev)
	case "pipe":
		name := member(t)
		known := name == "env" || name == "dir" || name == "name" && l.root.Variables["pipe"].Type().HasAttribute("name")
		return l.checkMember(t, ev, refPipe, "attribute", known, func() []string { return []string{"env", "dir", "name"} })
	case "each":
		return l.checkEach(t, ev)
	case "module":
		return l.checkModuleRef(t, ev)
	case string(addr.Input), string(addr.Stage), string(addr.Publish):
		return l.checkNodeRef(t, ev)
	}
	return l.unknownRoot(t, root)
}

// member is the name after the root: var.month and var["month"] are the same.
func member(t hcl.Traversal) string {
	if len(t) < 2 {
		return ""
	}
	return stepName(t[1])
}

func stepName(s hcl.Traverser) string {
	switch s := s.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if k, err := convert.Convert(s.Key, cty.String); err == nil && k.IsKnown() && !k.IsNull() {
			return k.AsString()
		}
	}
	return ""
}

func refError(t hcl.Traversal, code diag.Code, summary, format string, args ...any) *hcl.Diagnostic {
	return diag.Error(code, t.SourceRange().Ptr(), summary, format, args...)
}

func (l *loader) checkMember(t hcl.Traversal, ev evaluation, need reach, what string, known bool, names func() []string) *hcl.Diagnostic {
	root, name := t.RootName(), member(t)
	if ev.reach&need == 0 {
		return refError(t, "config.reference_here", "Reference not possible here",
			"%s cannot be used in %s, because it is evaluated before %s is known.", root+"."+name, ev.where, root)
	}
	if known {
		return nil
	}
	if name == "" {
		return refError(t, "config.incomplete_reference", "Incomplete reference",
			"%q alone is no value: write %s.NAME%s.", root, root, listed(root, names()))
	}
	return refError(t, "config.unknown_reference", "Unknown reference", "There is no %s %q.%s", what, name,
		l.suggestRef(root, name, names()))
}

// suggestRef suggests a spelling for root.name: the nearest name of its own kind, or the same name of another kind.
func (l *loader) suggestRef(root, name string, own []string) string {
	for _, full := range l.sameName(name) {
		if !strings.HasPrefix(full, root+".") {
			return fmt.Sprintf(" Did you mean %s?", full)
		}
	}
	if s := diag.Suggest(name, own); s != "" {
		return fmt.Sprintf(" Did you mean %s.%s?", root, s)
	}
	return listed2(root, own)
}

// sameName lists the references that end in name, nodes first.
func (l *loader) sameName(name string) []string {
	var full []string
	for _, kind := range []addr.Kind{addr.Stage, addr.Input, addr.Publish} {
		if l.blocks[l.address(kind, name)] != nil {
			full = append(full, string(kind)+"."+name)
		}
	}
	if l.calls[name] != nil {
		full = append(full, "module."+name)
	}
	if l.locals[name] != nil {
		full = append(full, "local."+name)
	}
	if l.vars[name] != nil {
		full = append(full, "var."+name)
	}
	return full
}

func listed(root string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", such as " + root + "." + names[0]
}

// listed2 names all candidates where there are few.
func listed2(root string, names []string) string {
	if len(names) == 0 || len(names) > 8 {
		return ""
	}
	full := make([]string, len(names))
	for i, n := range names {
		full[i] = root + "." + n
	}
	return " There is " + strings.Join(full, ", ") + "."
}

func (l *loader) checkLocal(t hcl.Traversal, ev evaluation) *hcl.Diagnostic {
	lo := l.locals[member(t)]
	if d := l.checkMember(t, ev, refLocal, "local", lo != nil, func() []string { return sortedKeys(l.locals) }); d != nil {
		return d
	}
	if lo.needs&^ev.reach&refNode != 0 {
		return refError(t, "config.reference_as_value", "A reference is not a value",
			"local.%s holds a reference to a node, and %s must be known before planning: no value in a plan file depends on the result of a run. Use literals, variables and configuration here.",
			lo.name, ev.where)
	}
	if lo.needs&^ev.reach&refModule != 0 {
		return outputTooEarly(t, "local."+lo.name+" holds an output of a module", ev)
	}
	return nil
}

func (l *loader) checkEach(t hcl.Traversal, ev evaluation) *hcl.Diagnostic {
	if ev.reach&refEach == 0 {
		return refError(t, "config.reference_here", "Reference not possible here",
			"each.key and each.value exist only in a block with for_each, and not in for_each itself.")
	}
	name := member(t)
	return l.checkMember(t, ev, refEach, "attribute", name == "key" || name == "value",
		func() []string { return []string{"key", "value"} })
}

func (l *loader) checkNodeRef(t hcl.Traversal, ev evaluation) *hcl.Diagnostic {
	kind, name := addr.Kind(t.RootName()), member(t)
	if ev.reach&refNode == 0 {
		return refError(t, "config.reference_as_value", "A reference is not a value",
			"%s cannot be used in %s, because it must be known before planning: no value in a plan file depends on the result of a run. Use literals, variables and configuration here.",
			spell(t), ev.where)
	}
	b := l.blocks[l.address(kind, name)]
	if b == nil {
		return l.checkMember(t, ev, refNode, string(kind), false, func() []string { return l.names[kind] })
	}
	return b.checkSteps(t)
}

// checkInstance checks what a reference to the family has after its name, and returns what stands behind the instance.
// ok is false where there is nothing more to check.
func (f *family) checkInstance(t hcl.Traversal) (rest hcl.Traversal, d *hcl.Diagnostic, ok bool) {
	rest = t[2:]
	switch {
	case f.failed:
		return nil, nil, false
	case !f.keyed && f.disabled:
		return nil, refError(t, "config.disabled_reference", "Reference to a disabled "+f.noun(),
			"%s has enabled = false (%s, line %d), so there is no such %s. Take the reference away, or disable what has it with the same condition.",
			f.addr, f.at.Filename, f.at.Start.Line, f.noun()), false
	case f.keyed && len(rest) > 0:
		key := stepName(rest[0])
		if _, splat := rest[0].(hcl.TraverseSplat); splat {
			return nil, nil, false
		}
		if f.disabledKeys[key] {
			return nil, refError(t, "config.disabled_reference", "Reference to a disabled "+f.noun(),
				"%s has enabled = false for this key (%s, line %d), so there is no such %s. Take the reference away, or disable what has it with the same condition.",
				f.addr.Instance(key), f.at.Filename, f.at.Start.Line, f.noun()), false
		}
		if !f.hasKey(key) {
			return nil, refError(t, "config.unknown_reference", "Unknown reference", "%s has no instance %q.%s",
				f.addr, key, keyHint(key, f.keys())), false
		}
		rest = rest[1:]
	case len(rest) > 0:
		if _, index := rest[0].(hcl.TraverseIndex); index {
			return nil, refError(t, "config.unknown_reference", "Unknown reference",
				"%s has no for_each, so it has no instances. Write %s.", f.addr, f.addr), false
		}
	}
	return rest, nil, true
}

func (f *family) noun() string {
	if f.addr.IsModule() {
		return "module"
	}
	return "node"
}

// checkSteps checks what follows the name of the block b in a reference.
func (b *block) checkSteps(t hcl.Traversal) *hcl.Diagnostic {
	rest, d, _ := b.checkInstance(t)
	if len(rest) == 0 {
		return d
	}
	return refError(t, "config.reference_as_value", "A reference is not a value", "%s. Write %s.",
		noValue(b.addr.String()), spell(t[:len(t)-len(rest)]))
}

// noValue is the rule about references, as one sentence without its full stop.
func noValue(ref string) string {
	return ref + " is a reference to what a node will produce and has no attributes and no value of its own: no value in a plan file depends on the result of a run. What must depend on results is an expectation"
}

func keyHint(key string, keys []string) string {
	if s := diag.DidYouMean(key, keys); s != "" {
		return s
	}
	if len(keys) == 0 {
		return " Its for_each is empty."
	}
	if len(keys) > 8 {
		keys = append(keys[:8:8], "…")
	}
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = strconv.Quote(k)
	}
	return " There is " + strings.Join(quoted, ", ") + "."
}

// spell writes a traversal as in the source.
func spell(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			if s.Key.Type() == cty.String {
				b.WriteString("[" + strconv.Quote(s.Key.AsString()) + "]")
			} else {
				b.WriteString("[" + stepName(s) + "]")
			}
		}
	}
	return b.String()
}

func (l *loader) unknownRoot(t hcl.Traversal, root string) *hcl.Diagnostic {
	hint := ""
	switch same := l.sameName(root); {
	case root == string(addr.Notify):
		hint = " A notify block produces nothing, so nothing can refer to it."
	case root == "env":
		hint = ` Environment variables are read with env("NAME").`
	case root == "path" || root == "terraform":
		hint = " The plan's directory is pipe.dir, the environment pipe.env."
	case root == "config" || root == "secret":
		hint = fmt.Sprintf(` It is a function: write %s("…").`, root)
	case len(same) > 0:
		hint = fmt.Sprintf(" Did you mean %s?", same[0])
	default:
		roots := []string{"var", "local", "pipe", "each", "input", "stage", "publish", "module"}
		sort.Strings(roots)
		if hint = diag.DidYouMean(root, roots); hint == "" {
			hint = fmt.Sprintf(" If it is meant as text, put it in quotes: %q.", root)
		}
	}
	return refError(t, "config.unknown_reference", "Unknown reference", "There is nothing called %q here.%s", root, hint)
}
