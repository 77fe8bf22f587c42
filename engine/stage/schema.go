package stage

import (
	"reflect"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Handle is what a reference such as stage.bars evaluates to. It never holds data. After decoding, Label is the
// input's label (see the package comment), under which Inputs has it.
type Handle struct {
	Label   string
	Address string // only while decoding plan files; "" in a Runner, so that no output can depend on a name
}

// Secret is what secret("NAME") evaluates to: the name of an environment variable.
type Secret struct{ Name string }

// HandleType and SecretType are the types of attributes that take a reference or a secret. The Go fields are *Handle
// and *Secret.
var (
	HandleType = cty.Capsule("reference", reflect.TypeFor[Handle]())
	SecretType = cty.Capsule("secret", reflect.TypeFor[Secret]())
)

// HandlesType is the type of an attribute that takes a reference, or a list or map of them (also all instances of a
// for_each block). The Go field is a cty.Value; use Inputs.Group(name) at run time.
var HandlesType = cty.DynamicPseudoType

// Schema describes the attributes and nested blocks of a type (or of an expectation).
type Schema struct {
	Doc     string // one paragraph or more, Markdown
	Attrs   []Attr
	Blocks  []Block
	Example string // HCL that decodes, for the reference page
	Table   bool   // the artifact has a table, so that column expectations apply
}

// Attr describes one attribute.
type Attr struct {
	Name     string
	Type     cty.Type // DynamicPseudoType: anything; Decode must check it
	Required bool
	Default  cty.Value // NilVal: null when absent
	Doc      string
	Path     bool     // the string (or each of the strings) is a path or glob below the working directory
	OneOf    []string // the strings allowed
	Handles  bool     // Type is HandlesType, and the value holds references only
}

// Block describes a nested block; it is decoded as an object, or as a list of objects if Repeat.
type Block struct {
	Name   string
	Doc    string
	Attrs  []Attr
	Repeat bool
}

// Spec returns the decoder specification.
func (s Schema) Spec() hcldec.ObjectSpec {
	spec := attrSpecs(s.Attrs)
	for _, b := range s.Blocks {
		nested := attrSpecs(b.Attrs)
		if b.Repeat {
			spec[b.Name] = &hcldec.BlockTupleSpec{TypeName: b.Name, Nested: nested}
		} else {
			spec[b.Name] = &hcldec.BlockSpec{TypeName: b.Name, Nested: nested}
		}
	}
	return spec
}

func attrSpecs(attrs []Attr) hcldec.ObjectSpec {
	spec := hcldec.ObjectSpec{}
	for _, a := range attrs {
		var one hcldec.Spec = &hcldec.AttrSpec{Name: a.Name, Type: a.Type, Required: a.Required}
		if a.Default != cty.NilVal {
			one = &hcldec.DefaultSpec{Primary: one, Default: &hcldec.LiteralSpec{Value: a.Default}}
		}
		spec[a.Name] = one
	}
	return spec
}

// Attr returns the attribute called name.
func (s Schema) Attr(name string) (Attr, bool) {
	for _, a := range s.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}
