package config

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// collection is a conversion function like toset or tolist that takes the way by one element type where all elements of a
// tuple have the same primitive one, as in toset([for …]). The general way finds a common type by comparing each element's with
// each other's, which takes a minute for 100,000 elements.
func collection(general function.Function, of func(cty.Type) cty.Type, make func([]cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Description: general.Description(),
		Params:      general.Params(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if element, ok := commonElement(args[0].Type()); ok {
				return of(element), nil
			}
			return general.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if _, ok := commonElement(args[0].Type()); ok && !args[0].IsNull() {
				return make(args[0].AsValueSlice()), nil
			}
			return general.Call(args)
		},
	})
}

// commonElement returns the primitive type that all elements of a tuple type have.
func commonElement(t cty.Type) (cty.Type, bool) {
	if !t.IsTupleType() || t.Length() == 0 {
		return cty.NilType, false
	}
	types := t.TupleElementTypes()
	if !types[0].IsPrimitiveType() {
		return cty.NilType, false
	}
	for _, e := range types[1:] {
		if e != types[0] {
			return cty.NilType, false
		}
	}
	return types[0], true
}
