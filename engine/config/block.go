package config

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/diag"
	"pipe/engine/stage"
)

// block is an input, stage, publish or notify block with its instances.
type block struct {
	family
	info   *typeInfo
	ranges map[string]hcl.Range // of the attributes' expressions
}

// typeInfo is what decoding a block of one type needs again and again.
type typeInfo struct {
	typ    stage.Type
	schema stage.Schema
	attrs  map[string]bool
	blocks map[string]bool
	names  []string // of attributes, blocks and meta-arguments, sorted
}

// metaArguments are what every block of a kind may have besides what its type says.
func metaArguments(kind addr.Kind) (attrs, blocks []string) {
	if kind == addr.Notify {
		return []string{"description", "enabled", "labels", "on"}, nil
	}
	attrs = []string{"depends_on", "description", "enabled", "expect_file", "for_each", "labels", "prevent_destroy", "timeout"}
	if kind != addr.Publish {
		attrs = append(attrs, "to")
	}
	return attrs, []string{"expect", "retry"}
}

func (l *loader) typeOf(kind addr.Kind, name string) (*typeInfo, bool) {
	t, ok := l.opts.Registry.Lookup(kind, name)
	if !ok {
		return nil, false
	}
	if info := l.types[t]; info != nil {
		return info, true
	}
	info := &typeInfo{typ: t, schema: t.Schema(), attrs: map[string]bool{}, blocks: map[string]bool{}}
	metaAttrs, metaBlocks := metaArguments(kind)
	for _, name := range metaAttrs {
		info.attrs[name] = true
	}
	for _, name := range metaBlocks {
		info.blocks[name] = true
	}
	for _, a := range info.schema.Attrs {
		info.attrs[a.Name] = true
	}
	for _, b := range info.schema.Blocks {
		info.blocks[b.Name] = true
	}
	info.names = append(sortedKeys(info.attrs), sortedKeys(info.blocks)...)
	sort.Strings(info.names)
	l.types[t] = info
	return info, true
}

// declareBlocks finds the types and names of all nodes and notifiers.
func (l *loader) declareBlocks() {
	for _, src := range l.top.nodes {
		kind := addr.Kind(src.Type)
		typ, name := "file", src.Labels[len(src.Labels)-1]
		if len(src.Labels) == 2 {
			typ = src.Labels[0]
		}
		a := l.address(kind, name)
		if prev := l.blocks[a]; prev != nil {
			l.duplicate(a.String(), src.DefRange(), prev.at)
			continue
		}
		b := &block{family: newFamily(a, src), ranges: map[string]hcl.Range{}}
		l.blocks[a] = b
		l.names[kind] = append(l.names[kind], name)
		for n, attr := range src.Body.Attributes {
			b.ranges[n] = attr.Expr.Range()
		}
		info, ok := l.typeOf(kind, typ)
		if !ok {
			b.failed = true
			known := l.opts.Registry.Names(kind)
			l.errorf("config.unknown_type", src.LabelRanges[0], "Unknown type", "There is no %s type %q.%s The types are %s.",
				kind, typ, diag.DidYouMean(typ, known), strings.Join(known, ", "))
			continue
		}
		b.info = info
	}
	for _, names := range l.names {
		sort.Strings(names)
	}
}

// sortedBlocks returns the blocks in the order of their addresses.
func (l *loader) sortedBlocks() []*block {
	list := make([]*block, 0, len(l.blocks))
	for _, b := range l.blocks {
		list = append(list, b)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].addr.Compare(list[j].addr) < 0 })
	return list
}

// makeHandles gives every node the value that a reference to it has.
func (l *loader) makeHandles() {
	kinds := map[addr.Kind]map[string]cty.Value{addr.Input: {}, addr.Stage: {}, addr.Publish: {}}
	for a, b := range l.blocks {
		into, ok := kinds[a.Kind]
		switch {
		case !ok:
		case b.failed:
			into[a.Name] = cty.DynamicVal
		case !b.keyed && !b.disabled:
			into[a.Name] = l.handle(a)
		case b.keyed:
			group := make(map[string]cty.Value, len(b.instances))
			for _, in := range b.instances {
				group[in.addr.Key] = l.handle(in.addr)
			}
			into[a.Name] = cty.ObjectVal(group)
		}
	}
	for kind, vals := range kinds {
		l.root.Variables[string(kind)] = cty.ObjectVal(vals)
	}
}

func (l *loader) handle(a addr.Addr) cty.Value {
	s := a.String()
	l.addresses[s] = a
	return cty.CapsuleVal(stage.HandleType, &stage.Handle{Address: s})
}

// unknownAttr says that a block has no such attribute.
func (l *loader) unknownAttr(a *hclsyntax.Attribute, what string, names []string) {
	hint := diag.DidYouMean(a.Name, names)
	if hint == "" && len(names) <= 12 {
		hint = " It may have " + strings.Join(names, ", ") + "."
	}
	l.errorf("config.unknown_attribute", a.NameRange, "Unknown attribute", "There is no attribute %q in %s.%s", a.Name, what, hint)
}

// place finds the deepest expression that a path leads to, and the value there.
func (l *loader) place(expr hclsyntax.Expression, path cty.Path, ev evaluation) (hcl.Range, cty.Value) {
	expr, path = deepest(expr, path, ev)
	v, diags := expr.Value(ev.ctx)
	if diags.HasErrors() {
		return expr.Range(), cty.DynamicVal
	}
	if part, err := path.Apply(v); err == nil {
		v = part
	}
	return expr.Range(), v
}

// deepest finds the deepest expression that a path leads to, and the rest of the path.
func deepest(expr hclsyntax.Expression, path cty.Path, ev evaluation) (hclsyntax.Expression, cty.Path) {
	for len(path) > 0 {
		next := inside(expr, path[0], ev)
		if next == nil {
			break
		}
		expr, path = next, path[1:]
	}
	return expr, path
}

// inside is the expression of one element of a literal object or list.
func inside(expr hclsyntax.Expression, step cty.PathStep, ev evaluation) hclsyntax.Expression {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return inside(e.Expression, step, ev)
	case *hclsyntax.ObjectConsExpr:
		want := ""
		switch s := step.(type) {
		case cty.GetAttrStep:
			want = s.Name
		case cty.IndexStep:
			if s.Key.Type() == cty.String {
				want = s.Key.AsString()
			}
		}
		for _, item := range e.Items {
			k, diags := item.KeyExpr.Value(ev.ctx)
			if k, _ = k.Unmark(); !diags.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() && k.AsString() == want {
				return item.ValueExpr
			}
		}
	case *hclsyntax.TupleConsExpr:
		if s, ok := step.(cty.IndexStep); ok && s.Key.Type() == cty.Number {
			if i, _ := s.Key.AsBigFloat().Int64(); i >= 0 && int(i) < len(e.Exprs) {
				return e.Exprs[i]
			}
		}
	}
	return nil
}
