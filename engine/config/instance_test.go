package config_test

import (
	"bytes"
	"testing"

	"pipe/engine/addr"
)

// TestInstancesAreDecodedLikeBlocks holds what is found out once for all instances against the same block without
// for_each, with values that are constant and values that are not.
func TestInstancesAreDecodedLikeBlocks(t *testing.T) {
	for name, body := range map[string]string{
		"constant": `source = stage.up
			inputs = { b = stage.up, a = [stage.up, stage.up] }
			params = { z = null, a = [1, 2.5, "<&>"], k = "é" }`,
		"varying": `source = KEY == "a" ? stage.up : null
			inputs = { b = stage.up, a = [stage.up, stage.up] }
			epochs = length(KEY)
			params = { z = null, a = [1, 2.5, "<&>"], k = KEY }
			tags   = { "quote\"" = KEY }
			horizon { bars = length(KEY) + 1 }`,
		"mixed": `source = stage.up
			l2     = 0.1
			url    = KEY == "a" ? secret("TOKEN") : null
			tags   = { a = KEY }
			expect "column_values_to_be_between" {
				column    = "close"
				max_value = length(KEY)
			}
			expect "column_values_to_not_be_null" { column = "close" }
			horizon { bars = 3 }`,
		"empty": ``,
	} {
		up := "stage \"fit\" \"up\" {}\n"
		one, diags := load(t, up+"locals { k = \"a\" }\nstage \"fit\" \"x\" {\n"+string(bytes.ReplaceAll([]byte(body), []byte("KEY"), []byte("local.k")))+"\n}\n")
		if diags.HasErrors() {
			t.Fatal(name, diags)
		}
		many, diags := load(t, up+"stage \"fit\" \"x\" {\nfor_each = [\"a\", \"bb\"]\n"+string(bytes.ReplaceAll([]byte(body), []byte("KEY"), []byte("each.key")))+"\n}\n")
		if diags.HasErrors() {
			t.Fatal(name, diags)
		}
		want, got := one.Nodes[1], many.Nodes[1]
		if got.Addr != addr.New(addr.Stage, "x").Instance("a") || len(many.Nodes) != 3 {
			t.Fatal(name, got.Addr)
		}
		if !bytes.Equal(got.Config, want.Config) || got.Runner == nil {
			t.Errorf("%s: %s, want %s", name, got.Config, want.Config)
		}
		if len(got.Inputs) != len(want.Inputs) || len(got.Expectations) != len(want.Expectations) {
			t.Fatalf("%s: %v %v, want %v %v", name, got.Inputs, got.Expectations, want.Inputs, want.Expectations)
		}
		for i := range got.Inputs {
			if got.Inputs[i].Label != want.Inputs[i].Label || got.Inputs[i].Addr != want.Inputs[i].Addr {
				t.Errorf("%s: input %d is %v, want %v", name, i, got.Inputs[i], want.Inputs[i])
			}
		}
		for i := range got.Expectations {
			if !bytes.Equal(got.Expectations[i].Args, want.Expectations[i].Args) {
				t.Errorf("%s: %s, want %s", name, got.Expectations[i].Args, want.Expectations[i].Args)
			}
		}
	}
}
