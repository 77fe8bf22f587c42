package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/config"
)

func benchmarkLoad(b *testing.B, nodes int, src string) {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plan.hcl"), []byte(src), 0o600); err != nil {
		b.Fatal(err)
	}
	reg := registry()
	b.ReportAllocs()
	for b.Loop() {
		p, diags := config.Load(config.LoadOptions{Path: "plan.hcl", WorkDir: dir, Environment: "dev", Registry: reg})
		if diags.HasErrors() || len(p.Nodes) != nodes {
			b.Fatal(len(p.Nodes), diags)
		}
	}
}

// BenchmarkLoad decodes n blocks in a tree.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var src strings.Builder
			src.WriteString("input \"raw\" { path = \"text.txt\" }\n")
			for i := range n {
				from := "input.raw"
				if i > 0 {
					from = fmt.Sprintf("stage.s%d", (i-1)/2)
				}
				fmt.Fprintf(&src, "stage \"fit\" \"s%d\" {\n  source = %s\n  epochs = %d\n  expect \"column_values_to_not_be_null\" { column = \"a\" }\n}\n", i, from, i%1000)
			}
			benchmarkLoad(b, n+1, src.String())
		})
	}
}

// BenchmarkForEach decodes n instances of ten blocks, each of which reads the one before: symbols by months, with
// windows, expectations, options and what all instances have in common.
func BenchmarkForEach(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var src strings.Builder
			fmt.Fprintf(&src, `locals {
  symbols = [for i in range(%d) : format("S%%02d", i)]
  months  = months("2018-01", "2026-04")
  all     = { for p in setproduct(local.symbols, local.months) : "${p[0]}/${p[1]}" => { symbol = p[0], month = p[1] } }
}
input "s0" {
  for_each = local.all
  path     = "data/${each.value.symbol}/${each.value.month}.json"
}
`, n/1000)
			for i := 1; i < 10; i++ {
				from := "input.s0[each.key]"
				if i > 1 {
					from = fmt.Sprintf("stage.s%d[each.key]", i-1)
				}
				inputs := ""
				if i == 5 {
					inputs = "inputs = { w = window(stage.s4, each.key, 3) }"
				}
				fmt.Fprintf(&src, `stage "fit" "s%d" {
  for_each = local.all
  source   = %s
  %s
  epochs   = %d
  l2       = 0.5
  tags     = { symbol = each.value.symbol, month = each.value.month, kind = "core" }
  params   = { depth = 3, list = [1, 2, 3], name = "x-${pipe.env}" }
  horizon { bars = 24 }
  expect "column_values_to_not_be_null" { column = "close" }
  expect "column_values_to_be_between" {
    column    = "close"
    min_value = 0.5
    max_value = 2
  }
  retry { attempts = 3 }
  timeout = "10m"
  labels  = { team = "fx" }
}
`, i, from, inputs, i)
			}
			benchmarkLoad(b, n, src.String())
		})
	}
}

// BenchmarkForEachAlike decodes n instances of ten blocks whose instances differ in what they read alone.
func BenchmarkForEachAlike(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var src strings.Builder
			fmt.Fprintf(&src, "locals { keys = toset([for i in range(%d) : format(\"k%%04d\", i)]) }\ninput \"raw\" { path = \"text.txt\" }\n", n/10)
			for i := range 10 {
				from := "input.raw"
				if i > 0 {
					from = fmt.Sprintf("stage.s%d[each.key]", i-1)
				}
				fmt.Fprintf(&src, "stage \"fit\" \"s%d\" {\n  for_each = local.keys\n  source   = %s\n  epochs   = %d\n}\n", i, from, i)
			}
			benchmarkLoad(b, n+1, src.String())
		})
	}
}
