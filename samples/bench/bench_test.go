package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRound runs one round of every tool that is there, on a small graph: the graphs that are written can be applied, and
// applied again.
func TestRound(t *testing.T) {
	g := graph{layers: 3, width: 4}
	bin := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("go", "build", "-o", bin, "pipe").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tools, err := find(g, bin, "pipe,ninja,task,tofu")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools {
		if first, again, err := tool.round(t.Context(), t.TempDir()); err != nil || first <= 0 || again <= 0 {
			t.Errorf("%s: %v", tool.name, err)
		}
	}
}

// TestPipeDoesTheGraph looks at what pipe says it did.
func TestPipeDoesTheGraph(t *testing.T) {
	g := graph{layers: 3, width: 4}
	dir := t.TempDir()
	if err := g.pipe(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "pipe", "--chdir", dir, "apply", "main.hcl", "--auto-approve", "--no-color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"stage.l0[\"k00000\"]", "stage.l2[\"k00003\"]"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s did not run:\n%s", want, out)
		}
	}
}
