package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/addr"
	"pipe/engine/diag"
	"pipe/engine/stage"
)

// decodeBlocks decodes every instance of every block.
func (l *loader) decodeBlocks() {
	for _, b := range l.sortedBlocks() {
		if b.info == nil {
			continue
		}
		l.checkNames(b)
		if b.failed {
			continue
		}
		for _, in := range b.instances {
			if b.addr.Kind == addr.Notify {
				l.notifier(b, in)
			} else {
				l.node(b, in)
			}
		}
	}
}

// checkNames refuses attributes and blocks that the type does not have.
func (l *loader) checkNames(b *block) {
	what := fmt.Sprintf("%s %q", b.addr.Kind, b.info.typ.Name())
	if b.addr.Kind == addr.Input {
		what = "an input"
	}
	for _, a := range sortedAttrs(b.src.Body.Attributes) {
		if b.info.blocks[a.Name] && !b.info.attrs[a.Name] {
			l.errorf("config.unknown_attribute", a.NameRange, "Unknown attribute", "%q is a block in %s: write %s { … } without the equals sign.", a.Name, what, a.Name)
		} else if !b.info.attrs[a.Name] {
			l.unknownAttr(a, what, b.info.names)
		}
	}
	for _, n := range b.src.Body.Blocks {
		switch {
		case b.info.blocks[n.Type]:
		case b.info.attrs[n.Type]:
			l.errorf("config.unknown_block", n.TypeRange, "Unknown block type", "%q is an attribute of %s: write %s = { … } with an equals sign.", n.Type, what, n.Type)
		default:
			l.errorf("config.unknown_block", n.TypeRange, "Unknown block type", "There is no block %q in %s.%s", n.Type, what, diag.DidYouMean(n.Type, b.info.names))
		}
	}
}

// node decodes one instance of an input, stage or publish.
func (l *loader) node(b *block, in instance) {
	n := &Node{Addr: in.addr, Type: b.info.typ, Range: b.at, AttrRanges: b.ranges}
	config, refs, runner, ok := l.configuration(b, in)
	n.Config, n.Runner = config, runner
	for _, r := range refs {
		at := l.rangeOf(b, r.Path, in.ev)
		n.Inputs = append(n.Inputs, Edge{Label: r.Label, Addr: l.addresses[r.Address], Range: at})
	}
	ok = l.options(b, in, n) && ok
	ok = l.dependsOn(b, in, n) && ok
	ok = l.expectations(b, in, n) && ok
	if ok {
		l.p.Nodes = append(l.p.Nodes, n)
	}
}

func (l *loader) notifier(b *block, in instance) {
	config, refs, runner, ok := l.configuration(b, in)
	for _, r := range refs {
		at, _ := l.refRange(b, r.Path, in.ev)
		l.errorf("config.reference_here", at, "Reference not possible here", "A notify block hears of events and reads no node.")
		ok = false
	}
	n := &Notifier{Addr: in.addr, Type: b.info.typ, Config: config, Range: b.at}
	n.On, ok = l.events(b, in, ok)
	if _, can := runner.(stage.Notifier); ok && !can {
		l.errorf("config.unknown_type", b.src.LabelRanges[0], "Unknown type", "The type %q can't notify.", b.info.typ.Name())
		ok = false
	}
	if ok {
		l.p.Notifiers = append(l.p.Notifiers, n)
	}
}

// events reads the attribute "on".
func (l *loader) events(b *block, in instance, ok bool) ([]string, bool) {
	known := []string{"failed", "published", "succeeded"}
	a := b.src.Body.Attributes["on"]
	if a == nil {
		l.errorf("config.missing_attribute", b.at, "Missing attribute", "A notify block needs on, a list of events: %s.", strings.Join(known, ", "))
		return nil, false
	}
	in.ev.where = "on"
	v, good := l.plain(a, cty.Set(cty.String), in.ev)
	if !good {
		return nil, false
	}
	var on []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || !containsString(known, e.AsString()) {
			name := "null"
			if !e.IsNull() {
				name = e.AsString()
			}
			l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "There is no event %q.%s The events are %s.", name,
				diag.DidYouMean(name, known), strings.Join(known, ", "))
			return nil, false
		}
		on = append(on, e.AsString())
	}
	return on, ok
}

func containsString(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// configuration decodes what the type says of the block, to canonical JSON and a Runner.
func (l *loader) configuration(b *block, in instance) ([]byte, []stage.Ref, stage.Runner, bool) {
	if in.ev.memo != nil {
		return l.instanceConfiguration(b, in)
	}
	schema := b.info.schema
	vals, ok := l.schemaValues(schema, b, in.ev)
	if !ok {
		return nil, nil, nil, false
	}
	raw, refs, err := stage.Encode(cty.ObjectVal(vals))
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	v, err := stage.DecodeConfig(schema, raw)
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	runner, err := b.info.typ.Decode(v)
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	return raw, refs, runner, true
}

// schemaValues decodes the attributes and nested blocks of a schema.
func (l *loader) schemaValues(schema stage.Schema, b *block, ev evaluation) (map[string]cty.Value, bool) {
	vals, ok := l.attributes(schema.Attrs, b.src.Body, b.at, ev, "")
	for _, nested := range schema.Blocks {
		v, good := l.nestedBlocks(nested, b, ev)
		vals[nested.Name] = v
		ok = ok && good
	}
	return vals, ok
}

// attributes decodes the attributes of a body. Values are unmarked and wholly known.
func (l *loader) attributes(attrs []stage.Attr, body *hclsyntax.Body, at hcl.Range, ev evaluation, owner string) (map[string]cty.Value, bool) {
	vals := make(map[string]cty.Value, len(attrs))
	ok := true
	for _, a := range attrs {
		src := body.Attributes[a.Name]
		vals[a.Name] = cty.NullVal(a.Type)
		if a.Default != cty.NilVal {
			vals[a.Name] = a.Default
		}
		if src == nil {
			if a.Required {
				l.errorf("config.missing_attribute", at, "Missing attribute", "The attribute %q is needed%s: %s", a.Name, owner, a.Doc)
				ok = false
			}
			continue
		}
		ev.where = a.Name
		v, good := l.attribute(a, src, ev)
		if !good {
			ok = false
			continue
		}
		if v.IsNull() && a.Required {
			l.errorf("config.bad_value", src.Expr.Range(), "Invalid value", "The attribute %q is needed and must not be null.", a.Name)
			ok = false
		}
		if !v.IsNull() || a.Default == cty.NilVal {
			vals[a.Name] = v
		}
	}
	return vals, ok
}

// attribute evaluates one attribute and converts it to its type.
func (l *loader) attribute(a stage.Attr, src *hclsyntax.Attribute, ev evaluation) (cty.Value, bool) {
	if !ev.memo.isConstant(src.Expr) {
		return l.attributeOnce(a, src, ev)
	}
	r, known := ev.memo.attrs[src]
	if !known {
		r.value, r.ok = l.attributeOnce(a, src, ev)
		ev.memo.attrs[src] = r
	}
	return r.value, r.ok
}

func (l *loader) attributeOnce(a stage.Attr, src *hclsyntax.Attribute, ev evaluation) (cty.Value, bool) {
	v, ok := l.eval(src.Expr, ev)
	if !ok {
		return cty.NilVal, false
	}
	if isSensitive(v) {
		l.sensitiveValue(src)
		return cty.NilVal, false
	}
	if a.Type.Equals(stage.SecretType) && v.Type() == cty.String {
		l.errorf("config.secret_needed", src.Expr.Range(), "Secret needed",
			"%s takes secret(\"NAME\"), the name of an environment variable, because what stands in a plan file is written to plans and to the state.", a.Name)
		return cty.NilVal, false
	}
	c, err := convert.Convert(v, a.Type)
	if err != nil {
		l.wrongType(src, a.Type, v, err, ev)
		return cty.NilVal, false
	}
	if !c.IsWhollyKnown() {
		return cty.NilVal, false // there is a diagnostic already
	}
	c, _ = c.UnmarkDeep()
	if a.Handles && !l.onlyHandles(a, src, c) {
		return cty.NilVal, false
	}
	if a.Path && !l.pathsInside(src, c) {
		return cty.NilVal, false
	}
	return c, true
}

// onlyHandles refuses anything but references in an attribute for them.
func (l *loader) onlyHandles(a stage.Attr, src *hclsyntax.Attribute, v cty.Value) bool {
	ok := true
	_ = cty.Walk(v, func(p cty.Path, x cty.Value) (bool, error) {
		ty := x.Type()
		if ty.Equals(stage.HandleType) || x.IsNull() && len(p) == 0 {
			return false, nil
		}
		if ty.IsObjectType() || ty.IsTupleType() || ty.IsCollectionType() {
			return true, nil
		}
		if ok {
			l.errorf("config.bad_type", src.Expr.Range(), "Wrong type of a value",
				"%s takes references, such as stage.NAME, alone or in a list or map, and here is %s.", a.Name, friendly(ty))
		}
		ok = false
		return false, nil
	})
	return ok
}

// pathsInside refuses paths that lead out of the working directory and the allowed ones.
func (l *loader) pathsInside(src *hclsyntax.Attribute, v cty.Value) bool {
	ok := true
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.Type() == cty.String && !x.IsNull() && !l.inside(x.AsString()) {
			l.outside(src, x.AsString())
			ok = false
		}
		return true, nil
	})
	return ok
}

func (l *loader) outside(src *hclsyntax.Attribute, path string) {
	l.errorf("config.path_outside", src.Expr.Range(), "Path outside of the working directory",
		"%s is %q, which leads out of the working directory. If that is meant, add its directory to allow_paths in the pipe block.", src.Name, path)
}

// inside reports whether a path, as it is spelled, lies below the working directory or an allowed one.
func (l *loader) inside(path string) bool {
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.opts.WorkDir, path)
	}
	path = filepath.Clean(path)
	for _, root := range append([]string{l.opts.WorkDir}, l.paths.Roots...) {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// nestedBlocks decodes the blocks of one type inside a block.
func (l *loader) nestedBlocks(s stage.Block, b *block, ev evaluation) (cty.Value, bool) {
	var list []cty.Value
	ok := true
	var first *hclsyntax.Block
	for _, n := range b.src.Body.Blocks {
		if n.Type != s.Name {
			continue
		}
		if first != nil && !s.Repeat {
			l.duplicate("the block "+s.Name, n.DefRange(), first.DefRange())
			ok = false
			continue
		}
		first = n
		l.noLabels(n)
		var names []string
		for _, a := range s.Attrs {
			names = append(names, a.Name)
		}
		for _, a := range sortedAttrs(n.Body.Attributes) {
			if !containsString(names, a.Name) {
				l.unknownAttr(a, "a "+s.Name+" block", names)
				ok = false
			}
		}
		l.noBlocks(n)
		vals, good := l.attributes(s.Attrs, n.Body, n.DefRange(), ev, " in a "+s.Name+" block")
		ok = ok && good
		list = append(list, cty.ObjectVal(vals))
	}
	switch {
	case s.Repeat:
		return cty.TupleVal(list), ok
	case len(list) == 0:
		types := map[string]cty.Type{}
		for _, a := range s.Attrs {
			types[a.Name] = a.Type
		}
		return cty.NullVal(cty.Object(types)), ok
	}
	return list[0], ok
}

func (l *loader) noLabels(n *hclsyntax.Block) {
	if len(n.Labels) > 0 {
		l.errorf("config.labels", n.DefRange(), "Wrong labels of a block", "Write %s { … }: the block has no labels.", n.Type)
	}
}

// typeError points a mistake that the type found at the attribute.
func (l *loader) typeError(b *block, ev evaluation, err error) {
	var attr *stage.AttrError
	if !errors.As(err, &attr) || len(attr.Path) == 0 {
		l.errorf("config.bad_value", b.at, "Invalid value", "%s", sentence(err.Error()))
		return
	}
	at, origin := l.refRange(b, attr.Path, ev)
	name := strings.TrimPrefix(pathString(attr.Path), ".")
	l.errorf("config.bad_value", at, "Invalid value", "%s: %s.%s", name, strings.TrimSuffix(attr.Error(), "."), origin)
}

// rangeOf is the place of a path into a block's configuration.
func (l *loader) rangeOf(b *block, path cty.Path, ev evaluation) hcl.Range {
	if step, ok := path[0].(cty.GetAttrStep); ok {
		if src := b.src.Body.Attributes[step.Name]; src != nil {
			at, _ := deepest(src.Expr, path[1:], ev)
			return at.Range()
		}
	}
	at, _ := l.refRange(b, path, ev)
	return at
}

// refRange is the place of a path into a block's configuration, and a sentence on where the value comes from.
func (l *loader) refRange(b *block, path cty.Path, ev evaluation) (hcl.Range, string) {
	step, ok := path[0].(cty.GetAttrStep)
	if !ok {
		return b.at, ""
	}
	body, rest := b.src.Body, path[1:]
	if src := body.Attributes[step.Name]; src != nil {
		at, part := l.place(src.Expr, rest, ev)
		return at, originOf(part)
	}
	for _, n := range body.Blocks {
		if n.Type != step.Name {
			continue
		}
		if len(rest) > 0 {
			if s, ok := rest[0].(cty.GetAttrStep); ok && n.Body.Attributes[s.Name] != nil {
				at, part := l.place(n.Body.Attributes[s.Name].Expr, rest[1:], ev)
				return at, originOf(part)
			}
		}
		return n.DefRange(), ""
	}
	return b.at, ""
}
