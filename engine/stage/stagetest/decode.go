package stagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"pipe/engine/addr"
	"pipe/engine/stage"
)

// Decode decodes the body of a block as a plan does. References evaluate to handles, whatever they name.
func Decode(typ stage.Type, config string) (cty.Value, error) {
	body, err := parse(config)
	if err != nil {
		return cty.NilVal, err
	}
	spec := typ.Schema().Spec()
	v, diags := hcldec.Decode(body, spec, Context(hcldec.Variables(body, spec)))
	if diags.HasErrors() {
		return cty.NilVal, diagError(diags)
	}
	return v, nil
}

func diagError(diags hcl.Diagnostics) error {
	return fmt.Errorf("%w", diags.Errs()[0])
}

func parse(config string) (*hclsyntax.Body, error) {
	f, diags := hclsyntax.ParseConfig([]byte(config), "case.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diagError(diags)
	}
	return f.Body.(*hclsyntax.Body), nil
}

// Context returns a context in which each of the traversals that is a reference has a handle, and secret is a function.
func Context(traversals []hcl.Traversal) *hcl.EvalContext {
	secret := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(stage.SecretType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.CapsuleVal(stage.SecretType, &stage.Secret{Name: args[0].AsString()}), nil
		},
	})
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: map[string]function.Function{"secret": secret}}
	nodes := map[string]map[string]cty.Value{}
	for _, tr := range traversals {
		a, ok := address(tr)
		if !ok {
			continue
		}
		if nodes[string(a.Kind)] == nil {
			nodes[string(a.Kind)] = map[string]cty.Value{}
		}
		insert(nodes[string(a.Kind)], a)
	}
	for kind, byName := range nodes {
		ctx.Variables[kind] = cty.ObjectVal(byName)
	}
	return ctx
}

// address reads kind.name and kind.name["key"].
func address(tr hcl.Traversal) (addr.Addr, bool) {
	if len(tr) < 2 {
		return addr.Addr{}, false
	}
	name, ok := tr[1].(hcl.TraverseAttr)
	if !ok {
		return addr.Addr{}, false
	}
	a := addr.New(addr.Kind(tr.RootName()), name.Name)
	if len(tr) > 2 {
		if key, ok := tr[2].(hcl.TraverseIndex); ok && key.Key.Type() == cty.String {
			a = a.Instance(key.Key.AsString())
		}
	}
	return a, true
}

func insert(byName map[string]cty.Value, a addr.Addr) {
	handle := cty.CapsuleVal(stage.HandleType, &stage.Handle{Address: a.String()})
	if !a.Keyed {
		byName[a.Name] = handle
		return
	}
	keys := map[string]cty.Value{}
	if old, ok := byName[a.Name]; ok && old.Type().IsObjectType() {
		keys = old.AsValueMap()
	}
	keys[a.Key] = handle
	byName[a.Name] = cty.ObjectVal(keys)
}

// decodeCase decodes with the handles of the case's upstreams, so that stage.bars can be a collection.
func (c Case) decode(t *testing.T, typ stage.Type) (cty.Value, error) {
	t.Helper()
	body, err := parse(c.Config)
	if err != nil {
		t.Fatalf("the case is no HCL: %v", err)
	}
	ctx := Context(nil)
	nodes := map[string]map[string]cty.Value{}
	for spelling := range c.Upstreams {
		a, err := addr.Parse(spelling)
		if err != nil {
			t.Fatal(err)
		}
		if nodes[string(a.Kind)] == nil {
			nodes[string(a.Kind)] = map[string]cty.Value{}
		}
		insert(nodes[string(a.Kind)], a)
	}
	for kind, byName := range nodes {
		ctx.Variables[kind] = cty.ObjectVal(byName)
	}
	v, diags := hcldec.Decode(body, typ.Schema().Spec(), ctx)
	if diags.HasErrors() {
		return cty.NilVal, diagError(diags)
	}
	return v, nil
}

// without returns the configuration without one attribute.
func without(body *hclsyntax.Body, config, name string) (string, bool) {
	a, ok := body.Attributes[name]
	if !ok {
		return "", false
	}
	r := a.SrcRange
	return config[:r.Start.Byte] + strings.Repeat(" ", r.End.Byte-r.Start.Byte) + config[r.End.Byte:], true
}
