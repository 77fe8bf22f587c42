package config

import "pipe/engine/addr"

// BlockDoc describes a block of the language for its reference page. A test holds it against what the loader accepts.
type BlockDoc struct {
	Name   string   // pipe, stage, retry, …
	Labels []string // of the block
	In     string   // the block that it stands in, "" for the top level
	Doc    string
	Attrs  []AttrDoc
}

// AttrDoc describes an attribute of a block.
type AttrDoc struct {
	Name, Type, Doc string
	Required        bool
}

// Blocks describes every block of the language. The attributes of a node's type are described by its schema.
func Blocks() []BlockDoc {
	return []BlockDoc{
		{Name: "pipe", Doc: "Settings of the pipeline. At most once; it may use variables and configuration.", Attrs: []AttrDoc{
			{Name: "required_version", Type: "string", Doc: "Versions of pipe that can read the plan, such as `>= 0.1.0`. A literal."},
			{Name: "name", Type: "string", Doc: "The pipeline's name; the plan directory's (or file's) by default. Each name has a state of its own."},
			{Name: "allow_paths", Type: "list of string", Doc: "Directories outside of the working directory that paths may lead to."},
		}},
		{Name: "state", In: "pipe", Labels: []string{"file"}, Doc: "Where the state is kept.", Attrs: []AttrDoc{
			{Name: "path", Type: "string", Doc: "The directory; `.pipe/state` by default."}}},
		{Name: "store", In: "pipe", Labels: []string{"file"}, Doc: "Where artifacts are kept.", Attrs: []AttrDoc{
			{Name: "path", Type: "string", Doc: "The directory; `.pipe/store` by default."}}},
		{Name: "executor", In: "pipe", Labels: []string{"local"}, Doc: "What runs the nodes.", Attrs: []AttrDoc{
			{Name: "parallelism", Type: "number", Doc: "How many nodes run at a time; 4 by default. `--parallelism` wins."}}},
		{Name: "approval", In: "pipe", Doc: "Which approvals a saved plan needs before it is applied; see `pipe approve`. A pipeline that was applied with this block needs them also for the plan that takes the block away.", Attrs: []AttrDoc{
			{Name: "required", Type: "number", Doc: "Of how many different people; 1 by default."},
			{Name: "keys", Type: "list of string", Doc: "Public keys, as `pipe approve --new-key` prints them; ` expires=2026-12-31` behind a key ends it with that day (UTC)."},
			{Name: "exclude_author", Type: "bool", Doc: "The author of the plan does not count."}}},
		{Name: "variable", Labels: []string{"NAME"}, Doc: "A value that comes from outside: `--var`, the last `--var-file` that has it, `PIPE_VAR_NAME`, the default.", Attrs: []AttrDoc{
			{Name: "type", Type: "type", Doc: "Such as `string`, `number`, `list(string)`, `object({ a = string, b = optional(number) })`."},
			{Name: "default", Type: "any", Doc: "The value where none is given. A variable without one must be given."},
			{Name: "description", Type: "string", Doc: "For people."},
			{Name: "sensitive", Type: "bool", Doc: "Its value is shown nowhere, and can't stand in a node."},
		}},
		{Name: "validation", In: "variable", Doc: "A condition on the value; any number of them.", Attrs: []AttrDoc{
			{Name: "condition", Type: "bool", Required: true, Doc: "Must be true."},
			{Name: "error_message", Type: "string", Required: true, Doc: "What is said otherwise."},
		}},
		{Name: "locals", Doc: "Named values, `name = value`, used as `local.name`. They may use each other in any order."},
		{Name: string(addr.Input), Labels: []string{"NAME"}, Doc: "Something outside that is read.", Attrs: append(nodeAttrs(), toAttr())},
		{Name: string(addr.Stage), Labels: []string{"TYPE", "NAME"}, Doc: "Makes an artifact of artifacts.", Attrs: append(nodeAttrs(), toAttr())},
		{Name: string(addr.Publish), Labels: []string{"TYPE", "NAME"}, Doc: "Has an effect outside.", Attrs: nodeAttrs()},
		{Name: "expect", In: "input, stage or publish", Labels: []string{"EXPECTATION"}, Doc: "An expectation, with the attributes of its page. Any number of them; in a publish only `metric_to_be_between`."},
		{Name: "retry", In: "input, stage or publish", Doc: "Tries a node that failed again. The wait doubles, with jitter.", Attrs: []AttrDoc{
			{Name: "attempts", Type: "number", Doc: "In all; 3 by default."},
			{Name: "backoff", Type: "duration", Doc: "The first wait; `1s` by default."},
			{Name: "max_backoff", Type: "duration", Doc: "The longest wait; `5m` by default."},
		}},
		{Name: string(addr.Notify), Labels: []string{"TYPE", "NAME"}, Doc: "Tells somebody of events.", Attrs: []AttrDoc{
			{Name: "on", Type: "list of string", Required: true, Doc: "`published`, `failed`, `succeeded`."},
			{Name: "enabled", Type: "bool", Doc: "`false` takes the notifier away."},
			{Name: "labels", Type: "map of string", Doc: "For people."},
			{Name: "description", Type: "string", Doc: "For people."},
		}},
		{Name: "module", Labels: []string{"NAME"}, Doc: "Calls the module in a local directory: its `*.hcl` files, with values for its variables. Its nodes have addresses such as `module.NAME.stage.bars`.", Attrs: []AttrDoc{
			{Name: "source", Type: "string", Required: true, Doc: "The directory, relative to the file and starting with `./` or `../`. A literal."},
			{Name: "for_each", Type: "set or list of string, map or object", Doc: "One instance of the module for each element, with `each.key` and `each.value`."},
			{Name: "depends_on", Type: "references", Doc: "Every node of the module comes after these."},
			{Name: "enabled", Type: "bool", Doc: "`false` takes the module (or instance) out of the plan."},
		}},
		{Name: "output", Labels: []string{"NAME"}, Doc: "A value that is shown with the plan and after an apply; in a module, a value or reference that its caller uses as `module.NAME.OUTPUT`.", Attrs: []AttrDoc{
			{Name: "value", Type: "any", Required: true, Doc: "The value."},
			{Name: "description", Type: "string", Doc: "For people."},
			{Name: "sensitive", Type: "bool", Doc: "It is not shown."},
		}},
		{Name: "moved", Doc: "What was recorded at one address belongs to another: nothing runs. In a module, addresses are relative to it.", Attrs: []AttrDoc{
			{Name: "from", Type: "address", Required: true, Doc: "A node, an instance or a module that is no longer declared."},
			{Name: "to", Type: "address", Required: true, Doc: "Where it is now."},
		}},
		{Name: "removed", Doc: "A node, instance or module is no longer declared.", Attrs: []AttrDoc{
			{Name: "from", Type: "address", Required: true, Doc: "Where it was."},
			{Name: "destroy", Type: "bool", Doc: "`false` forgets the record and leaves files and what was published where they are; `true` by default."},
		}},
		{Name: "import", Doc: "What exists already becomes the result of a stage of which nothing is recorded: nothing runs. Either `path` or `id`. Not in modules.", Attrs: []AttrDoc{
			{Name: "to", Type: "address", Required: true, Doc: "The stage, or one instance of it, such as `stage.bars[each.key]`."},
			{Name: "path", Type: "path", Doc: "The file or directory whose content is taken in."},
			{Name: "id", Type: "string", Doc: "An artifact that the store holds, as `sha256:…`."},
			{Name: "for_each", Type: "set or list of string, map or object", Doc: "One import for each element, with `each.key` and `each.value`."},
		}},
	}
}

// nodeAttrs are the meta-arguments of every node.
func nodeAttrs() []AttrDoc {
	return []AttrDoc{
		{Name: "for_each", Type: "set or list of string, map or object", Doc: "One instance for each element, with `each.key` and `each.value`. It may use literals, variables, configuration and functions."},
		{Name: "depends_on", Type: "references", Doc: "Comes after these, without data."},
		{Name: "enabled", Type: "bool", Doc: "`false` takes the node (or instance) out of the plan."},
		{Name: "expect_file", Type: "path, or list of paths", Doc: "Suites of expectations."},
		{Name: "timeout", Type: "duration", Doc: "Of one attempt, such as `10m`."},
		{Name: "labels", Type: "map of string", Doc: "For people."},
		{Name: "description", Type: "string", Doc: "For people."},
		{Name: "prevent_destroy", Type: "bool", Doc: "A plan that would delete the node is refused."},
	}
}

func toAttr() AttrDoc {
	return AttrDoc{Name: "to", Type: "path", Doc: "Where the artifact's files are put: a path for the table, its companions beside it; or a directory with a slash at its end."}
}
