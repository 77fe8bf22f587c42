package engine_test

import (
	"context"
	"testing"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/apply"
)

const moduleFile = `
variable "from" { type = reference }
variable "suffix" {
  type    = string
  default = "!"
}
stage "text" "sorted" {
  sources = [var.from]
  mode    = "sort"
  suffix  = var.suffix
}
stage "text" "loud" {
  sources = [stage.sorted]
  suffix  = var.suffix
}
output "text" { value = stage.loud }
`

func TestModuleRunsAsItsNodesWould(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "m/m.hcl": moduleFile, "main.hcl": `
input "raw" { path = "raw.txt" }
module "one" {
  source   = "./m"
  for_each = { x = "1", y = "2" }
  from     = input.raw
  suffix   = each.value
}
stage "text" "all" { sources = { for k, m in module.one : k => m.text } }
publish "post" "board" { source = stage.all }
`})
	_, ran := w.apply(engine.PlanOptions{})
	want(t, "first", ran, `input.raw module.one["x"].stage.loud module.one["x"].stage.sorted module.one["y"].stage.loud module.one["y"].stage.sorted publish.board stage.all`)
	want(t, "second", actions(w.plan(engine.PlanOptions{})), "")
	w.edit("main.hcl", `y = "2"`, `y = "3"`)
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "one instance", ran, `module.one["y"].stage.loud module.one["y"].stage.sorted publish.board stage.all`)
	w.edit("main.hcl", `x = "1", y = "3"`, `x = "1"`)
	want(t, "an instance that is gone", actions(w.plan(engine.PlanOptions{})), `
update stage.all (config_changed:sources.y)
update publish.board may (input_pending)
delete module.one["y"].stage.loud (removed)
delete module.one["y"].stage.sorted (removed)`)
}

const movable = `
input "raw" { path = "raw.txt" }
stage "text" "one" {
  sources = [input.raw]
  suffix  = "1"
  to      = "out/one.txt"
}
stage "text" "two" {
  sources = [stage.one]
  suffix  = "2"
}
publish "post" "board" { source = stage.two }
`

func TestMovedBlocks(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "m/m.hcl": moduleFile, "main.hcl": movable})
	w.apply(engine.PlanOptions{})
	// Into an instance, with the configuration changed at the same time, which no guess would find.
	w.write("main.hcl", `
input "raw" { path = "raw.txt" }
stage "text" "many" {
  for_each = toset(["a", "b"])
  sources  = [input.raw]
  suffix   = "1${each.key == "b" ? "b" : ""}"
  to       = "out/one${each.key == "b" ? "b" : ""}.txt"
}
module "m" {
  source = "./m"
  from   = stage.many["a"]
}
publish "post" "board" { source = module.m.text }
moved {
  from = stage.one
  to   = stage.between
}
moved {
  from = stage.between
  to   = stage.many["a"]
}
moved {
  from = stage.two
  to   = module.m.stage.loud
}
`)
	want(t, "plan", actions(w.plan(engine.PlanOptions{})), `
move stage.many["a"] (moved)
create stage.many["b"] (new)
create module.m.stage.sorted (new)
update module.m.stage.loud (config_changed:suffix input_pending moved)
update publish.board may (input_pending)`)
	_, ran := w.apply(engine.PlanOptions{})
	want(t, "run", ran, `module.m.stage.loud module.m.stage.sorted publish.board stage.many["b"]`)
	want(t, "after", actions(w.plan(engine.PlanOptions{})), "")
	w.edit("main.hcl", `module "m" {`, `module "renamed" {`)
	w.edit("main.hcl", `module.m.text`, `module.renamed.text`)
	w.edit("main.hcl", `to   = module.m.stage.loud
}`, `to   = module.m.stage.loud
}
moved {
  from = module.m
  to   = module.renamed
}`)
	want(t, "a module moves", actions(w.plan(engine.PlanOptions{})), `
move module.renamed.stage.sorted (moved)
move module.renamed.stage.loud (moved)`)
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "a move runs nothing", ran, "")
	want(t, "after the module moved", actions(w.plan(engine.PlanOptions{})), "")
}

// TestChainOfMoves has records at two places that one chain leads through: the later one is the node's.
func TestChainOfMoves(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "main.hcl": movable})
	w.apply(engine.PlanOptions{})
	w.write("main.hcl", `
input "raw" { path = "raw.txt" }
stage "text" "end" {
  sources = [input.raw]
  suffix  = "end"
}
moved {
  from = stage.two
  to   = stage.one
}
moved {
  from = stage.one
  to   = stage.end
}
`)
	p := w.plan(engine.PlanOptions{})
	want(t, "plan", actions(p), `
update stage.end (config_changed:suffix config_changed:to moved)
delete publish.board (removed)
delete stage.two (removed)`)
	if from := p.Changes[0].From.String(); from != "stage.one" {
		t.Errorf("the node came from %s", from)
	}
}

func TestRemovedBlocks(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "main.hcl": movable})
	w.apply(engine.PlanOptions{})
	posted := w.board()
	w.write("main.hcl", `
input "raw" { path = "raw.txt" }
stage "text" "other" {
  sources = [input.raw]
  suffix  = "1"
  to      = "out/other.txt"
}
removed {
  from    = publish.board
  destroy = false
}
removed {
  from    = stage.one
  destroy = false
}
removed { from = stage.two }
`)
	p := w.plan(engine.PlanOptions{})
	want(t, "what was removed is no renamed node", actions(p), `
create stage.other* (new)
delete publish.board (removed)
delete stage.two (removed)
delete stage.one (removed)`)
	for i, forget := range []bool{false, true, false, true} {
		if p.Changes[i].Forget != forget {
			t.Errorf("%s: forget is %v", p.Changes[i].Address, !forget)
		}
	}
	res, _ := w.apply(engine.PlanOptions{})
	if res.Count(apply.Forgotten) != 2 || res.Count(apply.Deleted) != 1 {
		t.Errorf("outcomes %+v", res.Nodes)
	}
	if w.board() != posted || w.read("out/one.txt") == "" {
		t.Errorf("what was outside is gone: board %q, file %q", w.board(), w.read("out/one.txt"))
	}
	want(t, "after", actions(w.plan(engine.PlanOptions{})), "")
}

func TestForgettingAProtectedNode(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "main.hcl": `
input "raw" { path = "raw.txt" }
stage "text" "kept" {
  sources         = [input.raw]
  prevent_destroy = true
}
`})
	w.apply(engine.PlanOptions{})
	w.write("main.hcl", `
input "raw" { path = "raw.txt" }
removed {
  from    = stage.kept
  destroy = false
}
`)
	want(t, "forget", actions(w.plan(engine.PlanOptions{})), "delete stage.kept (removed)")
}

func TestImport(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "old/data.txt": "made\nbefore\n", "main.hcl": `
input "raw" { path = "raw.txt" }
stage "text" "one" {
  sources = [input.raw]
  suffix  = "1"
  to      = "out/one.txt"
}
stage "text" "two" {
  sources = [stage.one]
  suffix  = "2"
}
import {
  to   = stage.one
  path = "old/data.txt"
}
`})
	p := w.plan(engine.PlanOptions{})
	want(t, "plan", actions(p), `
create input.raw (new)
import stage.one (new)
create stage.two (new)`)
	_, ran := w.apply(engine.PlanOptions{})
	want(t, "run", ran, "input.raw stage.two")
	want(t, "in its place", w.read("out/one.txt"), "made\nbefore")
	want(t, "after", actions(w.plan(engine.PlanOptions{})), "")
	w.write("raw.txt", "c\n")
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "what goes in has changed", ran, "input.raw stage.one stage.two")
	want(t, "made anew", w.read("out/one.txt"), "c1")
	id := w.snapshot().Entries[addr.New(addr.Stage, "one")].Artifact
	w.write("main.hcl", `
input "raw" { path = "raw.txt" }
stage "text" "copy" {
  sources = [input.raw]
  suffix  = "never run with this"
}
import {
  to = stage.copy
  id = "`+string(id)+`"
}
`)
	_, ran = w.apply(engine.PlanOptions{})
	want(t, "an artifact of the store", ran, "")
	if got := w.snapshot().Entries[addr.New(addr.Stage, "copy")].Artifact; got != id {
		t.Errorf("imported %s, want %s", got, id)
	}
}

func TestImportOfSomethingElse(t *testing.T) {
	w := newWorld(t, map[string]string{"raw.txt": "b\na\n", "old/data.txt": "made\nbefore\n", "main.hcl": `
stage "text" "one" {}
import {
  to   = stage.one
  path = "old"
}
`})
	p := w.plan(engine.PlanOptions{})
	w.write("old/data.txt", "changed since\n")
	res, err := w.applyPlan(p, engine.ApplyOptions{})
	if err != nil || res.Outcome != apply.Failed || !res.Nodes[0].Stale {
		t.Errorf("%v, %+v", err, res)
	}
	w.edit("main.hcl", `"old"`, `"none"`)
	e := w.engine()
	l, diags := e.Load(engine.Source{Path: "main.hcl"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if _, diags = e.Plan(context.Background(), l, engine.PlanOptions{}); !diags.HasErrors() || diags[0].Subject == nil || diags[0].Subject.Start.Line != 3 {
		t.Errorf("%v", diags)
	}
}
