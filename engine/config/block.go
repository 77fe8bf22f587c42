package config

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/addr"
	"pipe/engine/diag"
	"pipe/engine/stage"
)

// block is an input, stage, publish or notify block with its instances.
type block struct {
	addr         addr.Addr
	src          *hclsyntax.Block
	at           hcl.Range // of the header
	info         *typeInfo
	keyed        bool // has for_each
	failed       bool // a mistake in for_each or enabled is reported already
	disabled     bool
	disabledKeys map[string]bool
	instances    []instance // that are enabled, in the order of their keys
	places       map[string]int
	ranges       map[string]hcl.Range // of the attributes' expressions
}

// instance is a block, or one element of its for_each.
type instance struct {
	addr addr.Addr
	ev   evaluation // with each.key and each.value
}

func (b *block) hasKey(key string) bool { _, ok := b.places[key]; return ok }

func (b *block) keys() []string {
	keys := make([]string, len(b.instances))
	for i, in := range b.instances {
		keys[i] = in.addr.Key
	}
	return keys
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
		a := addr.New(kind, name)
		if prev := l.blocks[a]; prev != nil {
			l.duplicate(a.String(), src.DefRange(), prev.at)
			continue
		}
		b := &block{addr: a, src: src, at: src.DefRange(), disabledKeys: map[string]bool{}, places: map[string]int{},
			ranges: map[string]hcl.Range{}}
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

// expandBlocks evaluates for_each and enabled, which may depend on no reference.
func (l *loader) expandBlocks() {
	for _, b := range l.sortedBlocks() {
		if !l.expand(b) {
			b.failed = true
		}
	}
}

func (l *loader) expand(b *block) bool {
	static := refVar | refPipe | refLocal
	forEach := b.src.Body.Attributes["for_each"]
	if forEach == nil || b.addr.Kind == addr.Notify {
		enabled, ok := l.enabled(b, l.static("enabled", static))
		if enabled {
			b.instances = []instance{{addr: b.addr, ev: l.static("", refEverything)}}
		}
		b.disabled = !enabled
		return ok
	}
	b.keyed = true
	elements, ok := l.forEach(forEach)
	if !ok {
		return false
	}
	allGood := true
	for _, e := range elements {
		ctx := l.root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(e.key), "value": e.value})}
		enabled, ok := l.enabled(b, evaluation{ctx: ctx, reach: static | refEach, where: "enabled"})
		allGood = allGood && ok
		if !enabled {
			b.disabledKeys[e.key] = true
			continue
		}
		b.places[e.key] = len(b.instances)
		b.instances = append(b.instances, instance{addr: b.addr.Instance(e.key), ev: evaluation{ctx: ctx, reach: refEverything | refEach}})
	}
	return allGood
}

func (l *loader) enabled(b *block, ev evaluation) (enabled, ok bool) {
	a := b.src.Body.Attributes["enabled"]
	if a == nil {
		return true, true
	}
	v, ok := l.boolOf(a, ev)
	return v && ok, ok
}

type element struct {
	key   string
	value cty.Value
}

// forEach returns the elements of a for_each in the order of their keys.
func (l *loader) forEach(a *hclsyntax.Attribute) ([]element, bool) {
	v, ok := l.eval(a.Expr, l.static("for_each", refVar|refPipe|refLocal))
	if !ok {
		return nil, false
	}
	if isSensitive(v) {
		l.sensitiveValue(a)
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	bad := func(why string) ([]element, bool) {
		l.errorf("config.for_each", a.Expr.Range(), "Invalid for_each", "for_each takes a set of strings, a map or an object, and this is %s.", why)
		return nil, false
	}
	ty := v.Type()
	switch {
	case !v.IsWhollyKnown():
		return nil, false
	case v.IsNull():
		return bad("null. Write {} or [] for no instances")
	case ty.IsTupleType() || ty.IsListType():
		set, err := convert.Convert(v, cty.Set(cty.String))
		if err != nil {
			return bad("a list. Write toset(…) around a list of strings")
		}
		if set.LengthInt() != v.LengthInt() {
			return bad("a list in which a value stands twice, and each instance needs a key of its own. Write toset(…) or distinct(…) around it")
		}
		return bad("a list. Write toset(…) around it: instances are told apart by their keys and not by their places")
	case ty.IsSetType() && ty.ElementType() != cty.String:
		if v.LengthInt() == 0 {
			return nil, true
		}
		return bad("a set of " + ty.ElementType().FriendlyName() + "s. Write toset([for x in … : tostring(x)])")
	case !ty.IsSetType() && !ty.IsMapType() && !ty.IsObjectType():
		return bad("a " + ty.FriendlyName())
	}
	var list []element
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if k.IsNull() || k.AsString() == "" {
			return bad("a collection with an empty key")
		}
		list = append(list, element{k.AsString(), x})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key < list[j].key })
	return list, true
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
	for _, step := range path {
		next := inside(expr, step, ev)
		if next == nil {
			break
		}
		expr, path = next, path[1:]
	}
	v, diags := expr.Value(ev.ctx)
	if diags.HasErrors() {
		return expr.Range(), cty.DynamicVal
	}
	if part, err := path.Apply(v); err == nil {
		v = part
	}
	return expr.Range(), v
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
