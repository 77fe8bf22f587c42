package stage_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
)

type config struct {
	Source *stage.Handle `cty:"source"`
	Token  *stage.Secret `cty:"token"`
	Scale  float64       `cty:"scale"`
	Count  *int          `cty:"count"`
	Mode   string        `cty:"mode"`
	CSV    *csv          `cty:"csv"`
	Rules  []rule        `cty:"rule"`
}

type csv struct {
	Header bool    `cty:"header"`
	Quote  *string `cty:"quote"`
}

type rule struct {
	Column string `cty:"column"`
}

type runner struct{ config }

func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	return ctx.Err()
}

func def(name string) stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: name, Rev: 3,
		Spec: stage.Schema{
			Attrs: []stage.Attr{
				{Name: "source", Type: stage.HandleType, Required: true},
				{Name: "token", Type: stage.SecretType},
				{Name: "scale", Type: cty.Number, Default: cty.NumberIntVal(2)},
				{Name: "count", Type: cty.Number},
				{Name: "mode", Type: cty.String, Default: cty.StringVal("fast"), OneOf: []string{"fast", "exact"}},
			},
			Blocks: []stage.Block{
				{Name: "csv", Attrs: []stage.Attr{
					{Name: "header", Type: cty.Bool, Required: true}, {Name: "quote", Type: cty.String, OneOf: []string{"single", "double"}}}},
				{Name: "rule", Attrs: []stage.Attr{{Name: "column", Type: cty.String, Required: true, OneOf: []string{"a", "b"}}}, Repeat: true},
			},
		},
		New: func(c config) (stage.Runner, error) {
			if c.Scale < 0 {
				return nil, stage.Attrf("scale", "scale must not be negative, and is %v", c.Scale)
			}
			return &runner{c}, nil
		},
	}
}

func TestDefDecodes(t *testing.T) {
	typ := def("x")
	v, err := stagetest.Decode(typ, `
		source = stage.bars
		token  = secret("T")
		count  = 3
		csv { header = true }
		rule { column = "a" }
		rule { column = "b" }`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := typ.Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	c := got.(*runner).config
	if c.Source.Address != "stage.bars" || c.Token.Name != "T" || c.Scale != 2 || *c.Count != 3 || c.Mode != "fast" ||
		!c.CSV.Header || len(c.Rules) != 2 || c.Rules[1].Column != "b" {
		t.Errorf("got %+v", c)
	}
	if typ.Kind() != addr.Stage || typ.Name() != "x" || typ.Revision() != 3 || len(typ.Schema().Attrs) != 5 {
		t.Errorf("got %v", typ)
	}
}

func TestDefOfLittle(t *testing.T) {
	v, err := stagetest.Decode(def("x"), `source = stage.bars`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := def("x").Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	if c := got.(*runner).config; c.Token != nil || c.Count != nil || c.CSV != nil || len(c.Rules) != 0 {
		t.Errorf("got %+v", c)
	}
}

// Mistakes name the attribute, so that they can be shown in the plan file.
func TestDefErrors(t *testing.T) {
	for _, c := range []struct {
		config string
		path   cty.Path
		want   string
	}{
		{"mode = \"slow\"", cty.GetAttrPath("mode"), `"slow" is not allowed here: use one of fast, exact`},
		{"count = 1.5", cty.GetAttrPath("count"), "whole number"},
		{"scale = -1", cty.GetAttrPath("scale"), "scale must not be negative, and is -1"},
		{"csv {\n header = true\n quote = \"none\"\n}", cty.GetAttrPath("csv").GetAttr("quote"), `"none" is not allowed here: use one of single, double`},
		{"rule { column = \"a\" }\nrule { column = \"c\" }", cty.GetAttrPath("rule").IndexInt(1).GetAttr("column"), `"c" is not allowed here: use one of a, b`},
	} {
		v, err := stagetest.Decode(def("x"), "source = stage.bars\n"+c.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = def("x").Decode(v)
		var attr *stage.AttrError
		if !errors.As(err, &attr) || !strings.Contains(err.Error(), c.want) || !attr.Path.Equals(c.path) {
			t.Errorf("%s: %v (%+v)", c.config, err, attr)
		}
	}
}

func TestSpecErrors(t *testing.T) {
	for config, want := range map[string]string{
		``:                                    "Missing required argument",
		`source = 1`:                          "reference",
		`source = stage.a` + "\nx = 1":        "Unsupported argument",
		`source = stage.a` + "\ncsv {}":       "Missing required argument",
		`source = stage.a` + "\nscale = true": "number required",
	} {
		if _, err := stagetest.Decode(def("x"), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", config, err, want)
		}
	}
}

func TestSchemaAttr(t *testing.T) {
	s := def("x").Schema()
	if a, ok := s.Attr("mode"); !ok || a.Name != "mode" {
		t.Errorf("got %+v, %v", a, ok)
	}
	if _, ok := s.Attr("none"); ok {
		t.Error("an unknown attribute was found")
	}
}

func TestRegistry(t *testing.T) {
	r := stage.NewRegistry(def("b"), def("a"))
	if got := r.Names(addr.Stage); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("got %v", got)
	}
	if typ, ok := r.Lookup(addr.Stage, "b"); !ok || typ.Name() != "b" {
		t.Errorf("got %v, %v", typ, ok)
	}
	if _, ok := r.Lookup(addr.Publish, "b"); ok {
		t.Error("a stage type was found among the publish types")
	}
	defer func() {
		if recover() == nil {
			t.Error("a type was registered twice")
		}
	}()
	stage.NewRegistry(def("a"), def("a"))
}
