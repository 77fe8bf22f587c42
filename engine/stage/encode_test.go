package stage_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

func handle(address string) cty.Value {
	return cty.CapsuleVal(stage.HandleType, &stage.Handle{Address: address})
}

func secret(name string) cty.Value {
	return cty.CapsuleVal(stage.SecretType, &stage.Secret{Name: name})
}

func obj(kv ...any) cty.Value {
	m := map[string]cty.Value{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1].(cty.Value)
	}
	return cty.ObjectVal(m)
}

func num(s string) cty.Value { return cty.MustParseNumberVal(s) }

// The encoding is what fingerprints are made of: it must never change for the same configuration.
func TestEncode(t *testing.T) {
	null := cty.NullVal(cty.String)
	for _, c := range []struct {
		name  string
		value cty.Value
		want  string
		refs  []string // label=address
	}{
		{"scalars", obj("b", cty.StringVal("x<y&\"é\""), "a", num("1.50"), "c", cty.True), `{"a":1.5,"b":"x<y&\"é\"","c":true}`, nil},
		{"a null at the top is left out", obj("a", null, "b", obj("c", null)), `{"b":{"c":null}}`, nil},
		{"numbers", cty.ObjectVal(map[string]cty.Value{"a": cty.TupleVal([]cty.Value{num("0.1"), num("1e3"), num("-0.25"), num("123456789012345678901234567890"), num("1e-9")})}),
			`{"a":[0.1,1000,-0.25,123456789012345678901234567890,1e-09]}`, nil},
		{"a reference", obj("source", handle("stage.bars")), `{"source":{"$input":"source"}}`, []string{"source=stage.bars"}},
		{"references by name", obj("inputs", obj("b", handle("stage.b"), "a", handle("input.a"))),
			`{"inputs":{"a":{"$input":"a"},"b":{"$input":"b"}}}`, []string{"a=input.a", "b=stage.b"}},
		{"a collection among inputs", obj("inputs", obj("m", obj("2025-01", handle(`stage.m["2025-01"]`)))),
			`{"inputs":{"m":{"2025-01":{"$input":"m[\"2025-01\"]"}}}}`, []string{`m["2025-01"]=stage.m["2025-01"]`}},
		{"inputs of a map type", obj("inputs", cty.MapVal(map[string]cty.Value{"a": handle("stage.a")})), `{"inputs":{"a":{"$input":"a"}}}`, []string{"a=stage.a"}},
		{"a list of references", obj("evidence", cty.TupleVal([]cty.Value{handle("stage.x"), handle("stage.y")})),
			`{"evidence":[{"$input":"evidence[0]"},{"$input":"evidence[1]"}]}`, []string{"evidence[0]=stage.x", "evidence[1]=stage.y"}},
		{"a secret", obj("url", secret("POSTGRES_URL")), `{"url":{"$secret":"POSTGRES_URL"}}`, nil},
		{"sets and maps", obj("s", cty.SetVal([]cty.Value{cty.StringVal("b"), cty.StringVal("a")}), "m", cty.MapVal(map[string]cty.Value{"z": cty.True, "a": cty.False})),
			`{"m":{"a":false,"z":true},"s":["a","b"]}`, nil},
		{"marks", obj("a", cty.StringVal("x").Mark("sensitive")), `{"a":"x"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, refs, err := stage.Encode(c.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			var list []string
			for _, r := range refs {
				list = append(list, r.Label+"="+r.Address)
			}
			if d := cmp.Diff(c.refs, list); d != "" {
				t.Error(d)
			}
		})
	}
}

// Lists of references keep their order, whatever their length.
func TestReferencesAreInNumericOrder(t *testing.T) {
	var list []cty.Value
	for i := range 12 {
		list = append(list, handle("stage.s"+strconv.Itoa(i)))
	}
	_, refs, err := stage.Encode(obj("evidence", cty.TupleVal(list)))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range refs {
		if want := "evidence[" + strconv.Itoa(i) + "]"; r.Label != want {
			t.Errorf("%d: %s, want %s", i, r.Label, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		value cty.Value
		path  cty.Path
	}{
		{obj("a", obj("b", cty.UnknownVal(cty.String))), cty.GetAttrPath("a").GetAttr("b")},
		{obj("a", cty.TupleVal([]cty.Value{cty.True, cty.UnknownVal(cty.Number)})), cty.GetAttrPath("a").IndexInt(1)},
	} {
		_, _, err := stage.Encode(c.value)
		var attr *stage.AttrError
		if !errors.As(err, &attr) || !attr.Path.Equals(c.path) {
			t.Errorf("got %v, want an error at %v", err, c.path)
		}
	}
}

func schema() stage.Schema {
	inner := []stage.Attr{{Name: "x", Type: cty.Number}, {Name: "y", Type: cty.String}}
	return stage.Schema{
		Attrs: []stage.Attr{
			{Name: "s", Type: cty.String}, {Name: "n", Type: cty.Number}, {Name: "b", Type: cty.Bool},
			{Name: "list", Type: cty.List(cty.String)}, {Name: "map", Type: cty.Map(cty.Number)},
			{Name: "any", Type: cty.DynamicPseudoType}, {Name: "h", Type: stage.HandleType},
			{Name: "inputs", Type: stage.HandlesType, Handles: true}, {Name: "p", Type: stage.SecretType},
		},
		Blocks: []stage.Block{{Name: "one", Attrs: inner}, {Name: "many", Attrs: inner, Repeat: true}},
	}
}

// A plan is decoded by a worker that has no plan files: what comes back must encode to the same bytes, and keep its types.
func TestDecodeConfigRoundTrip(t *testing.T) {
	block := obj("x", num("1"), "y", cty.NullVal(cty.String))
	v := obj("s", cty.StringVal("x"), "n", num("0.1"), "b", cty.False, "list", cty.ListVal([]cty.Value{cty.StringVal("a")}),
		"map", cty.MapVal(map[string]cty.Value{"k": num("2")}), "any", obj("deep", cty.TupleVal([]cty.Value{num("1"), cty.True, cty.NullVal(cty.DynamicPseudoType)})),
		"h", handle("stage.a"), "inputs", obj("m", cty.TupleVal([]cty.Value{handle("stage.b"), handle("stage.c")})), "p", secret("TOKEN"),
		"one", block, "many", cty.TupleVal([]cty.Value{block, block}))
	config, _, err := stage.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	back, err := stage.DecodeConfig(schema(), config)
	if err != nil {
		t.Fatal(err)
	}
	again, refs, err := stage.Encode(back)
	if err != nil || string(again) != string(config) {
		t.Errorf("%v\n%s\n%s", err, config, again)
	}
	for _, r := range refs {
		if r.Address != "" {
			t.Errorf("%s knows the name %s", r.Label, r.Address)
		}
	}
	if h := back.GetAttr("h").EncapsulatedValue().(*stage.Handle); h.Label != "h" || h.Address != "" {
		t.Errorf("got %+v", h)
	}
	if s := back.GetAttr("p").EncapsulatedValue().(*stage.Secret); s.Name != "TOKEN" {
		t.Errorf("got %+v", s)
	}
	if !back.GetAttr("list").Type().Equals(cty.List(cty.String)) || !back.GetAttr("map").Type().Equals(cty.Map(cty.Number)) {
		t.Errorf("types %#v, %#v", back.GetAttr("list").Type(), back.GetAttr("map").Type())
	}
}

func TestDecodeConfigOfNothing(t *testing.T) {
	v, err := stage.DecodeConfig(schema(), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"s", "list", "any", "h", "one"} {
		if !v.GetAttr(name).IsNull() {
			t.Errorf("%s is %#v", name, v.GetAttr(name))
		}
	}
	if many := v.GetAttr("many"); many.IsNull() || many.LengthInt() != 0 {
		t.Errorf("many is %#v", many)
	}
}

func TestDecodeConfigErrors(t *testing.T) {
	for config, want := range map[string]string{
		`{`:               "configuration is not valid JSON",
		`{"n": "x"}`:      "a number is required",
		`{"list": {}}`:    "list of string required",
		`{"h": "stage"}`:  "reference required",
		`{"p": {"a": 1}}`: "secret required",
	} {
		if _, err := stage.DecodeConfig(schema(), []byte(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// randomValue makes plain values of any shape.
func randomValue(rng *rand.Rand, depth int) cty.Value {
	switch n := rng.IntN(8); {
	case n == 0:
		return cty.StringVal(strings.Repeat("\"\\\u2028 é$", rng.IntN(3)))
	case n == 1:
		return cty.NumberFloatVal(rng.NormFloat64() * 1e6)
	case n == 2:
		return cty.NumberIntVal(rng.Int64())
	case n == 3:
		return cty.BoolVal(rng.IntN(2) == 0)
	case n == 4:
		return handle("stage.x")
	case n == 5 || depth == 0:
		return secret("NAME" + strconv.Itoa(rng.IntN(9)))
	case n == 6:
		var list []cty.Value
		for range rng.IntN(4) {
			list = append(list, randomValue(rng, depth-1))
		}
		return cty.TupleVal(list)
	}
	m := map[string]cty.Value{}
	for range rng.IntN(4) {
		m["k"+strconv.Itoa(rng.IntN(100))] = randomValue(rng, depth-1)
	}
	return cty.ObjectVal(m)
}

func TestAnyConfigurationSurvivesAPlan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		v := obj("any", randomValue(rng, 4), "many", cty.EmptyTupleVal)
		config, refs, err := stage.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := stage.DecodeConfig(schema(), config)
		if err != nil {
			t.Fatalf("%v\n%s", err, config)
		}
		again, refsAgain, err := stage.Encode(back)
		if err != nil || string(again) != string(config) || len(refs) != len(refsAgain) {
			t.Fatalf("%v\n%s\n%s", err, config, again)
		}
	}
}
