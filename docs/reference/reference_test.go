package reference_test

import (
	"os"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"pipe/docs/reference"
	"pipe/engine/addr"
	"pipe/stages"
)

// TestPagesAreCurrent fails when a page differs from what the schemas say; make docs writes them anew.
func TestPagesAreCurrent(t *testing.T) {
	for name, want := range reference.Pages() {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%v: run make docs", err)
			continue
		}
		if string(got) != want {
			t.Errorf("%s is out of date: run make docs", name)
		}
	}
}

// TestEverythingIsDescribed fails on types and attributes without a text, and on examples that are no HCL.
func TestEverythingIsDescribed(t *testing.T) {
	reg := stages.All()
	for _, kind := range []addr.Kind{addr.Input, addr.Stage, addr.Publish, addr.Notify} {
		for _, name := range reg.Names(kind) {
			typ, _ := reg.Lookup(kind, name)
			s := typ.Schema()
			if s.Doc == "" || s.Example == "" {
				t.Errorf("%s %q has no text or no example", kind, name)
			}
			if _, diags := hclsyntax.ParseConfig([]byte(s.Example), name, hcl.InitialPos); diags.HasErrors() {
				t.Errorf("the example of %s %q: %v", kind, name, diags)
			}
			for _, a := range s.Attrs {
				if a.Doc == "" {
					t.Errorf("%s %q: the attribute %s has no text", kind, name, a.Name)
				}
			}
		}
	}
}
