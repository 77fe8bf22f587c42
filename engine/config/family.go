package config

import (
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/addr"
)

// family is a block and its instances: one, or as many as its for_each has elements.
type family struct {
	addr         addr.Addr
	src          *hclsyntax.Block
	at           hcl.Range // of the header
	keyed        bool      // has for_each
	failed       bool      // a mistake is reported already
	disabled     bool
	disabledKeys map[string]bool
	instances    []instance // that are enabled, in the order of their keys
	places       map[string]int
}

// instance is a block, or one element of its for_each.
type instance struct {
	addr addr.Addr
	key  string
	ev   evaluation // with each.key and each.value
}

func newFamily(a addr.Addr, src *hclsyntax.Block) family {
	return family{addr: a, src: src, at: src.DefRange(), disabledKeys: map[string]bool{}, places: map[string]int{}}
}

func (f *family) hasKey(key string) bool { _, ok := f.places[key]; return ok }

func (f *family) keys() []string {
	keys := make([]string, len(f.instances))
	for i, in := range f.instances {
		keys[i] = in.key
	}
	return keys
}

// expandBlocks evaluates for_each and enabled, which may depend on no reference.
func (l *loader) expandBlocks() {
	for _, b := range l.sortedBlocks() {
		if !l.expand(&b.family) {
			b.failed = true
		}
	}
	for _, name := range sortedKeys(l.calls) {
		if c := l.calls[name]; !l.expand(&c.family) {
			c.failed = true
		}
	}
}

const refStatic = refVar | refPipe | refLocal

func (l *loader) expand(f *family) bool {
	forEach := f.src.Body.Attributes["for_each"]
	if forEach == nil || f.addr.Kind == addr.Notify {
		enabled, ok := l.enabled(f, l.static("enabled", refStatic))
		if enabled {
			f.instances = []instance{{addr: f.addr, ev: l.static("", refEverything)}}
		}
		f.disabled = !enabled
		return ok
	}
	f.keyed = true
	elements, ok := l.forEach(forEach)
	if !ok {
		return false
	}
	allGood := true
	shared := newMemo()
	for _, e := range elements {
		ctx := l.root.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(e.key), "value": e.value})}
		enabled, ok := l.enabled(f, evaluation{ctx: ctx, reach: refStatic | refEach, where: "enabled"})
		allGood = allGood && ok
		if !enabled {
			f.disabledKeys[e.key] = true
			continue
		}
		f.places[e.key] = len(f.instances)
		f.instances = append(f.instances, instance{addr: f.addr.Instance(e.key), key: e.key,
			ev: evaluation{ctx: ctx, reach: refEverything | refEach, memo: shared}})
	}
	return allGood
}

func (l *loader) enabled(f *family, ev evaluation) (enabled, ok bool) {
	a := f.src.Body.Attributes["enabled"]
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
	v, ok := l.eval(a.Expr, l.static("for_each", refStatic))
	if !ok {
		return nil, false
	}
	if v.Type().Equals(cty.Set(cty.String)) && !v.IsMarked() && v.IsKnown() && !v.IsNull() {
		return l.setElements(a, v)
	}
	if isSensitive(v) {
		l.sensitiveValue(a)
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	bad := func(why string) ([]element, bool) {
		l.errorf("config.for_each", a.Expr.Range(), "Invalid for_each", "for_each takes a set or list of strings, a map or an object, and this is %s.", why)
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
			return bad("a list of something else than strings")
		}
		if set.LengthInt() != v.LengthInt() {
			return bad("a list in which a value stands twice, and each instance needs a key of its own. Write toset(…) or distinct(…) around it")
		}
		return l.setElements(a, set)
	case ty.IsSetType() && ty.ElementType() != cty.String:
		if v.LengthInt() == 0 {
			return nil, true
		}
		return bad("a set of " + ty.ElementType().FriendlyName() + "s. Write toset([for x in … : tostring(x)])")
	case !ty.IsSetType() && !ty.IsMapType() && !ty.IsObjectType():
		return bad("a " + ty.FriendlyName())
	}
	list := make([]element, 0, v.LengthInt())
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

// setElements returns the elements of a set of strings, going through it once: a set sorts itself each time.
func (l *loader) setElements(a *hclsyntax.Attribute, set cty.Value) ([]element, bool) {
	list := make([]element, 0, set.LengthInt())
	for it := set.ElementIterator(); it.Next(); {
		_, x := it.Element()
		switch {
		case !x.IsKnown():
			return nil, false
		case x.IsNull() || x.AsString() == "":
			l.errorf("config.for_each", a.Expr.Range(), "Invalid for_each", "for_each takes a set or list of strings, a map or an object, and this is a collection with an empty key.")
			return nil, false
		}
		list = append(list, element{x.AsString(), x})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key < list[j].key })
	return list, true
}
