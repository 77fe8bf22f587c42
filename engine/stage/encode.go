package stage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/digest"
)

// Ref is one reference found in a configuration.
type Ref struct {
	Label   string
	Address string
	Path    cty.Path
}

const (
	inputKey  = "$input"
	secretKey = "$secret"
)

// Encode turns a decoded configuration into canonical JSON and lists its references. The JSON is free of names:
// a reference is {"$input": label}, a secret {"$secret": name}; top-level attributes that are null are left out, so that
// a later version may add optional attributes without changing fingerprints.
func Encode(v cty.Value) (json.RawMessage, []Ref, error) {
	e := &encoder{}
	plain, err := e.value(v, nil)
	if err != nil {
		return nil, nil, err
	}
	if m, ok := plain.(map[string]any); ok {
		for k, x := range m {
			if x == nil {
				delete(m, k)
			}
		}
	}
	b, err := digest.Canonical(plain)
	if err != nil {
		return nil, nil, err
	}
	SortRefs(e.refs)
	return b, e.refs, nil
}

// SortRefs puts references into the order of their labels, as Encode does.
func SortRefs(refs []Ref) {
	sort.SliceStable(refs, func(i, j int) bool { return labelLess(refs[i].Label, refs[j].Label) })
}

type encoder struct{ refs []Ref }

func (e *encoder) value(v cty.Value, path cty.Path) (any, error) {
	ty := v.Type()
	switch {
	case v.IsMarked():
		return e.value(unmarked(v), path)
	case !v.IsKnown():
		return nil, &AttrError{Path: path, Err: fmt.Errorf("the value is not known before the run")}
	case v.IsNull():
		return nil, nil
	case ty.Equals(HandleType):
		h := v.EncapsulatedValue().(*Handle)
		label := Label(path)
		e.refs = append(e.refs, Ref{Label: label, Address: h.Address, Path: append(cty.Path(nil), path...)})
		return map[string]any{inputKey: label}, nil
	case ty.Equals(SecretType):
		return map[string]any{secretKey: v.EncapsulatedValue().(*Secret).Name}, nil
	case ty == cty.String:
		return v.AsString(), nil
	case ty == cty.Bool:
		return v.True(), nil
	case ty == cty.Number:
		return json.Number(number(v.AsBigFloat())), nil
	case ty.IsObjectType() || ty.IsMapType():
		return e.object(v, path)
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		return e.list(v, path)
	}
	return nil, &AttrError{Path: path, Err: fmt.Errorf("a value of type %s cannot stand here", ty.FriendlyName())}
}

func unmarked(v cty.Value) cty.Value { u, _ := v.Unmark(); return u }

func (e *encoder) object(v cty.Value, path cty.Path) (any, error) {
	m := map[string]any{}
	isMap := v.Type().IsMapType()
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		var step cty.PathStep = cty.GetAttrStep{Name: k.AsString()}
		if isMap {
			step = cty.IndexStep{Key: k}
		}
		p, err := e.value(x, append(path[:len(path):len(path)], step))
		if err != nil {
			return nil, err
		}
		m[k.AsString()] = p
	}
	return m, nil
}

func (e *encoder) list(v cty.Value, path cty.Path) (any, error) {
	list := []any{}
	for it, i := v.ElementIterator(), 0; it.Next(); i++ {
		_, x := it.Element()
		p, err := e.value(x, append(path[:len(path):len(path)], cty.IndexStep{Key: cty.NumberIntVal(int64(i))}))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// number prints a number in the shortest form that reads back to the same number.
func number(f *big.Float) string {
	if f.IsInt() {
		return f.Text('f', 0)
	}
	if d, acc := f.Float64(); acc == big.Exact || new(big.Float).SetFloat64(d).Text('g', 17) == f.Text('g', 17) {
		return strconv.FormatFloat(d, 'g', -1, 64)
	}
	return f.Text('g', -1)
}

// Label spells the path of a reference as the label of an input.
func Label(path cty.Path) string {
	var b strings.Builder
	for i, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			switch {
			case i == 0 && s.Name == "inputs" && len(path) > 1:
			case b.Len() == 0:
				b.WriteString(s.Name)
			default:
				b.WriteString("[" + strconv.Quote(s.Name) + "]")
			}
		case cty.IndexStep:
			switch {
			case s.Key.Type() == cty.String && b.Len() == 0:
				b.WriteString(s.Key.AsString())
			case s.Key.Type() == cty.String:
				b.WriteString("[" + strconv.Quote(s.Key.AsString()) + "]")
			default:
				b.WriteString("[" + s.Key.AsBigFloat().Text('f', 0) + "]")
			}
		}
	}
	return b.String()
}

// labelLess orders labels so that the elements of a list stand in their numeric order.
func labelLess(a, b string) bool {
	an, ai, aok := cutIndex(a)
	bn, bi, bok := cutIndex(b)
	if aok && bok && an == bn {
		return ai < bi
	}
	return a < b
}

func cutIndex(s string) (name string, index int, ok bool) {
	i := strings.LastIndexByte(s, '[')
	if i < 0 || !strings.HasSuffix(s, "]") {
		return s, 0, false
	}
	n, err := strconv.Atoi(s[i+1 : len(s)-1])
	return s[:i], n, err == nil
}

// DecodeConfig turns the JSON of Encode back into a value for the schema. Handles have a label and no address.
func DecodeConfig(s Schema, config json.RawMessage) (cty.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.UseNumber()
	var plain map[string]any
	if err := dec.Decode(&plain); err != nil {
		return cty.NilVal, fmt.Errorf("configuration is not valid JSON: %w", err)
	}
	vals := map[string]cty.Value{}
	for _, a := range s.Attrs {
		v, err := attrValue(a.Type, plain[a.Name])
		if err != nil {
			return cty.NilVal, &AttrError{Path: cty.GetAttrPath(a.Name), Err: err}
		}
		vals[a.Name] = v
	}
	for _, b := range s.Blocks {
		v, err := blockValue(b, plain[b.Name])
		if err != nil {
			return cty.NilVal, &AttrError{Path: cty.GetAttrPath(b.Name), Err: err}
		}
		vals[b.Name] = v
	}
	return cty.ObjectVal(vals), nil
}

func attrValue(ty cty.Type, plain any) (cty.Value, error) {
	if plain == nil {
		return cty.NullVal(ty), nil
	}
	v, err := plainValue(plain)
	if err != nil || ty == cty.DynamicPseudoType {
		return v, err
	}
	return convert.Convert(v, ty)
}

func blockValue(b Block, plain any) (cty.Value, error) {
	ty := cty.Object(attrTypes(b.Attrs))
	one := func(x any) (cty.Value, error) {
		m, _ := x.(map[string]any)
		vals := map[string]cty.Value{}
		for _, a := range b.Attrs {
			v, err := attrValue(a.Type, m[a.Name])
			if err != nil {
				return cty.NilVal, err
			}
			vals[a.Name] = v
		}
		return cty.ObjectVal(vals), nil
	}
	if !b.Repeat {
		if plain == nil {
			return cty.NullVal(ty), nil
		}
		return one(plain)
	}
	list, _ := plain.([]any)
	var vals []cty.Value
	for _, x := range list {
		v, err := one(x)
		if err != nil {
			return cty.NilVal, err
		}
		vals = append(vals, v)
	}
	return cty.TupleVal(vals), nil
}

func attrTypes(attrs []Attr) map[string]cty.Type {
	types := map[string]cty.Type{}
	for _, a := range attrs {
		types[a.Name] = a.Type
	}
	return types
}

func plainValue(x any) (cty.Value, error) {
	switch x := x.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case string:
		return cty.StringVal(x), nil
	case bool:
		return cty.BoolVal(x), nil
	case json.Number:
		return cty.ParseNumberVal(x.String())
	case []any:
		vals := make([]cty.Value, 0, len(x))
		for _, e := range x {
			v, err := plainValue(e)
			if err != nil {
				return cty.NilVal, err
			}
			vals = append(vals, v)
		}
		return cty.TupleVal(vals), nil
	case map[string]any:
		if label, ok := x[inputKey].(string); ok && len(x) == 1 {
			return cty.CapsuleVal(HandleType, &Handle{Label: label}), nil
		}
		if name, ok := x[secretKey].(string); ok && len(x) == 1 {
			return cty.CapsuleVal(SecretType, &Secret{Name: name}), nil
		}
		vals := map[string]cty.Value{}
		for k, e := range x {
			v, err := plainValue(e)
			if err != nil {
				return cty.NilVal, err
			}
			vals[k] = v
		}
		return cty.ObjectVal(vals), nil
	}
	return cty.NilVal, fmt.Errorf("unexpected %T in a configuration", x)
}
