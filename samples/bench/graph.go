package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// graph is layers of nodes, each node below the one of the same number in the layer above.
type graph struct{ layers, width int }

func (g graph) nodes() int { return g.layers * g.width }

// script is what a node runs in a shell.
func script(layer, i int, out string) string { return fmt.Sprintf("echo %d-%d > %s", layer, i, out) }

// pipe writes the plan file.
func (g graph) pipe(dir string) error {
	var b strings.Builder
	b.WriteString("pipe {\n  executor \"local\" {\n    parallelism = 2\n  }\n}\n")
	fmt.Fprintf(&b, "locals { keys = toset(flatten([for j in range(%d) : [for k in range(%d) : format(\"k%%05d\", j * %d + k)]])) }\n",
		(g.width+99)/100, min(g.width, 100), min(g.width, 100))
	for l := range g.layers {
		inputs := ""
		if l > 0 {
			inputs = fmt.Sprintf("  inputs   = { up = stage.l%d[each.key] }\n", l-1)
		}
		fmt.Fprintf(&b, "stage \"exec\" \"l%d\" {\n  for_each = local.keys\n%s  command  = [\"/bin/sh\", \"-c\", \"echo %d-${each.key} > out\"]\n  outputs  = { out = \"out\" }\n}\n",
			l, inputs, l)
	}
	return os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(b.String()), 0o644)
}

// each calls fn with the layer, the number, and the number of the layer above ("" for none).
func (g graph) each(fn func(layer, i int, up string)) {
	for l := range g.layers {
		for i := range g.width {
			up := ""
			if l > 0 {
				up = fmt.Sprintf("%d-%d", l-1, i)
			}
			fn(l, i, up)
		}
	}
}

func (g graph) ninja(dir string) error {
	var b strings.Builder
	b.WriteString("rule run\n  command = echo $out > $out\n")
	g.each(func(l, i int, up string) {
		if up != "" {
			up = " out/" + up
		}
		fmt.Fprintf(&b, "build out/%d-%d: run%s\n", l, i, up)
	})
	return write(dir, "build.ninja", b.String())
}

func (g graph) task(dir string) error {
	var b strings.Builder
	b.WriteString("version: '3'\ntasks:\n  default:\n    deps:\n")
	for i := range g.width {
		fmt.Fprintf(&b, "      - t%d-%d\n", g.layers-1, i)
	}
	g.each(func(l, i int, up string) {
		fmt.Fprintf(&b, "  t%d-%d:\n    run: once\n", l, i)
		if up != "" {
			fmt.Fprintf(&b, "    deps: [t%s]\n    sources: [out/%s]\n", up, up)
		} else {
			b.WriteString("    sources: [Taskfile.yml]\n")
		}
		fmt.Fprintf(&b, "    generates: [out/%d-%d]\n    cmds: ['/bin/sh -c \"%s\"']\n", l, i, script(l, i, fmt.Sprintf("out/%d-%d", l, i)))
	})
	return write(dir, "Taskfile.yml", b.String())
}

func (g graph) tofu(dir string) error {
	var b strings.Builder
	g.each(func(l, i int, up string) {
		input := fmt.Sprintf("%q", fmt.Sprintf("%d-%d", l, i))
		if up != "" {
			input = fmt.Sprintf("terraform_data.t%s.output", strings.ReplaceAll(up, "-", "_"))
		}
		fmt.Fprintf(&b, "resource \"terraform_data\" \"t%d_%d\" {\n  input = %s\n}\n", l, i, input)
	})
	return write(dir, "main.tf", b.String())
}

func write(dir, name, content string) error {
	if err := os.MkdirAll(filepath.Join(dir, "out"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
}
