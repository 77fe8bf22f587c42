package stage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"pipe/engine/addr"
)

// Def turns a config struct, a schema and a constructor into a Type. The fields of C carry `cty:"name"` tags, one for
// each attribute and block of the schema; optional attributes without a default need a pointer (or cty.Value).
type Def[C any] struct {
	Of    addr.Kind
	Label string
	Rev   int
	Spec  Schema
	New   func(C) (Runner, error) // validates; mistakes as *AttrError
}

// Kind implements Type.
func (d *Def[C]) Kind() addr.Kind { return d.Of }

// Name implements Type.
func (d *Def[C]) Name() string { return d.Label }

// Revision implements Type.
func (d *Def[C]) Revision() int { return d.Rev }

// Schema implements Type.
func (d *Def[C]) Schema() Schema { return d.Spec }

// Decode implements Type.
func (d *Def[C]) Decode(v cty.Value) (Runner, error) {
	if err := checkOneOf(d.Spec.Attrs, v, nil); err != nil {
		return nil, err
	}
	if err := checkBlocks(d.Spec.Blocks, v); err != nil {
		return nil, err
	}
	v = listBlocks(d.Spec.Blocks, v)
	var c C
	if err := gocty.FromCtyValue(withoutNullCapsules(v), &c); err != nil {
		var pe cty.PathError
		if errors.As(err, &pe) {
			return nil, &AttrError{Path: pe.Path, Err: errors.New(pe.Error())}
		}
		return nil, err
	}
	return d.New(c)
}

// withoutNullCapsules gives references and secrets that are not set the type of nothing in particular, because gocty takes
// no null of a capsule type, not even into a pointer.
func withoutNullCapsules(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() {
		return v
	}
	attrs := v.AsValueMap()
	changed := false
	for name, x := range attrs {
		switch {
		case x.Type().IsCapsuleType() && x.IsNull():
			attrs[name], changed = cty.NullVal(cty.DynamicPseudoType), true
		case x.Type().IsObjectType():
			attrs[name], changed = withoutNullCapsules(x), true
		}
	}
	if !changed {
		return v
	}
	return cty.ObjectVal(attrs)
}

// listBlocks makes lists of the tuples that repeated blocks decode to, because gocty puts no tuple into a slice. Blocks
// whose attributes take anything may differ in type, and stay a tuple: their Go field is a cty.Value.
func listBlocks(blocks []Block, v cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() {
		return v
	}
	if !slices.ContainsFunc(blocks, func(b Block) bool { return b.Repeat }) {
		return v
	}
	attrs := v.AsValueMap()
	for _, b := range blocks {
		x, ok := attrs[b.Name]
		if !ok || !b.Repeat || x.IsNull() || !x.Type().IsTupleType() {
			continue
		}
		switch elems := x.AsValueSlice(); {
		case len(elems) == 0:
			attrs[b.Name] = cty.ListValEmpty(cty.Object(attrTypes(b.Attrs)))
		case cty.CanListVal(elems):
			attrs[b.Name] = cty.ListVal(elems)
		}
	}
	return cty.ObjectVal(attrs)
}

// checkOneOf checks the attributes of v, which lies at path.
func checkOneOf(attrs []Attr, v cty.Value, path cty.Path) error {
	for _, a := range attrs {
		if len(a.OneOf) == 0 || !v.Type().HasAttribute(a.Name) {
			continue
		}
		got := v.GetAttr(a.Name)
		if got.IsNull() || got.Type() != cty.String {
			continue
		}
		if !contains(a.OneOf, got.AsString()) {
			return &AttrError{Path: path.GetAttr(a.Name),
				Err: fmt.Errorf("%q is not allowed here: use one of %s", got.AsString(), strings.Join(a.OneOf, ", "))}
		}
	}
	return nil
}

// checkBlocks checks the attributes of blocks.
func checkBlocks(blocks []Block, v cty.Value) error {
	for _, b := range blocks {
		if !v.Type().HasAttribute(b.Name) {
			continue
		}
		x, path := v.GetAttr(b.Name), cty.GetAttrPath(b.Name)
		switch {
		case x.IsNull():
		case !b.Repeat:
			if err := checkOneOf(b.Attrs, x, path); err != nil {
				return err
			}
		default:
			for i, one := range x.AsValueSlice() {
				if err := checkOneOf(b.Attrs, one, path.IndexInt(i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
