package stagetest

import (
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"pipe/engine/addr"
	"pipe/engine/stage"
)

// checkSchema checks what the reference page is made of.
func checkSchema(t *testing.T, typ stage.Type) {
	s := typ.Schema()
	if s.Doc == "" || typ.Name() == "" || typ.Revision() < 1 {
		t.Error("a type needs a name, a text for its reference page, and a revision from 1")
	}
	documented(t, s.Attrs)
	for _, b := range s.Blocks {
		if b.Doc == "" {
			t.Errorf("block %s has no text for the reference page", b.Name)
		}
		documented(t, b.Attrs)
	}
	if s.Example == "" {
		t.Error("a type needs an example for its reference page")
		return
	}
	body, err := parse(s.Example)
	if err != nil {
		t.Fatalf("the example is no HCL: %v", err)
	}
	found := false
	for _, b := range body.Blocks {
		if b.Type == string(typ.Kind()) && (typ.Kind() == addr.Input || b.Labels[0] == typ.Name()) {
			found = true
			decodeExample(t, typ, b.Body)
		}
	}
	if !found {
		t.Errorf("the example has no %s block of this type", typ.Kind())
	}
}

// decodeExample decodes what concerns the type; what every node may have besides is the engine's.
func decodeExample(t *testing.T, typ stage.Type, body *hclsyntax.Body) {
	t.Helper()
	spec := typ.Schema().Spec()
	v, _, diags := hcldec.PartialDecode(body, spec, Context(hcldec.Variables(body, spec)))
	if diags.HasErrors() {
		t.Fatalf("the example does not decode: %v", diagError(diags))
	}
	if _, err := typ.Decode(v); err != nil {
		t.Errorf("the example does not decode: %v", err)
	}
}

func documented(t *testing.T, attrs []stage.Attr) {
	t.Helper()
	for _, a := range attrs {
		if a.Doc == "" {
			t.Errorf("attribute %s has no text for the reference page", a.Name)
		}
	}
}

// badConfig spoils a configuration that is good.
func badConfig(t *testing.T, typ stage.Type, c Case) {
	unknown := c
	unknown.Config += "\nno_such_attribute = 1\n"
	if _, err := unknown.decode(t, typ); err == nil {
		t.Error("an unknown attribute was accepted")
	}
	body, err := parse(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range typ.Schema().Attrs {
		if !a.Required {
			continue
		}
		spoiled := c
		config, ok := without(body, c.Config, a.Name)
		if !ok {
			t.Fatalf("the case has no attribute %s, which is required", a.Name)
		}
		spoiled.Config = config
		if _, err := spoiled.decode(t, typ); err == nil {
			t.Errorf("a configuration without %s was accepted", a.Name)
		}
	}
}
