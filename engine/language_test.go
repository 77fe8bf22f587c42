package engine_test

import (
	"testing"

	"pipe/engine"
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
