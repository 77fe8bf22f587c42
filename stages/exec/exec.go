package exec

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/glob"
)

type config struct {
	Inputs  cty.Value         `cty:"inputs"`
	Command []string          `cty:"command"`
	Files   []string          `cty:"files"`
	Env     cty.Value         `cty:"env"`
	Outputs map[string]string `cty:"outputs"`
	Table   *string           `cty:"table"`
	Metrics *string           `cty:"metrics"`
}

// Type is the stage type "exec".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: "exec", Rev: 1,
		Spec: stage.Schema{
			Doc: doc, Table: true, Example: example,
			Attrs: []stage.Attr{
				{Name: "command", Type: cty.List(cty.String), Required: true, Doc: "The program and its arguments. `$PIPE_INPUT_name` and `$PIPE_OUTPUT_name` in an argument are replaced; there is no shell."},
				{Name: "outputs", Type: cty.Map(cty.String), Required: true, Doc: "Files that the program writes, by name: paths relative to its directory. Each must be there when it ends; whatever else it wrote is thrown away."},
				{Name: "inputs", Type: stage.HandlesType, Handles: true, Doc: "What the program reads, by name."},
				{Name: "files", Type: cty.List(cty.String), Path: true, Doc: "Files, or patterns, that are copied into the program's directory under their relative paths: scripts and what they need. Their content is part of what the stage is keyed by."},
				{Name: "env", Type: cty.DynamicPseudoType, Doc: "Environment variables: strings, or `secret(\"NAME\")`."},
				{Name: "table", Type: cty.String, Doc: "Name of the output that is the artifact's table. The default is the only output that is a `.parquet`, `.csv`, `.json` or `.ndjson` table."},
				{Name: "metrics", Type: cty.String, Doc: "Name of an output that holds one JSON object of numbers: they become the artifact's metrics."},
			},
		},
		New: newRunner,
	}
}

const doc = `Runs a program and keeps the files that it declares as outputs.

**Where it runs.** In a directory of its own that holds the declared ` + "`files`" + ` and nothing else. The environment is not pipe's: it has
` + "`PATH` (the system's directories), `HOME` and `TMPDIR` (directories of the run), `LANG=C.UTF-8`, `TZ=UTC`, `PIPE_INPUT_…`, `PIPE_OUTPUT_…`" + ` and
what ` + "`env`" + ` adds or replaces. A program that is not in the system's directories is named by its path, or by a ` + "`PATH`" + ` in ` + "`env`" + `.

**Inputs.** ` + "`PIPE_INPUT_name`" + ` is the path of the input's table, or of the directory of its files if it has no table;
` + "`PIPE_INPUT_DIR_name`" + ` is always that directory. For a collection it is a directory in which each table has its key as its
name. Inputs must not be written to. All these paths are relative to the program's directory and the same in every run.

**What it is keyed by.** The command, the declared files, the environment (of secrets, the names), the inputs. The program itself, its
libraries and its version are not looked at: declare a lock file among ` + "`files`" + `, or name a version in the command, to run again
when they change. The program must write the same outputs for the same inputs.

**Failure.** An exit code other than 0, a missing output, or an output that holds the value of a secret fails the stage. The last
lines that it wrote are in the error, without the values of secrets. When the run is stopped, the program and all its
children are asked to end (SIGTERM), and killed five seconds later.`

const example = `stage "exec" "report" {
  inputs  = { bars = stage.bars }
  command = ["python3", "report.py", "--bars", "$PIPE_INPUT_bars", "--out", "$PIPE_OUTPUT_report"]
  files   = ["report.py", "lib/**/*.py", "requirements.lock"]
  env     = { TOKEN = secret("REPORT_TOKEN") }
  outputs = { report = "report.parquet", scores = "scores.json" }
  metrics = "scores"
}
`

type runner struct {
	config
	inputs  []string          // names, sorted
	outputs []output          // sorted by name
	plain   map[string]string // environment
	secrets map[string]*stage.Secret
}

type output struct{ name, path string }

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func newRunner(c config) (stage.Runner, error) {
	r := &runner{config: c, plain: map[string]string{}, secrets: map[string]*stage.Secret{}}
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, stage.Attrf("command", "the command is empty: name a program, as in [\"python3\", \"report.py\"]")
	}
	for _, step := range []func() error{r.readInputs, r.readOutputs, r.readEnv, r.checkCommand} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *runner) readInputs() error {
	v := r.Inputs
	if v.IsNull() {
		return nil
	}
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return stage.Attrf("inputs", "the inputs must be a map from names to references, as in { bars = stage.bars }")
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		n := k.AsString()
		at := cty.GetAttrPath("inputs").GetAttr(n)
		switch {
		case !name.MatchString(n) || strings.HasPrefix(n, "DIR_"):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("%q cannot name an input: it is part of an environment variable, and has letters, digits and _", n)}
		case !onlyHandles(x):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("input %q must be a reference such as stage.bars, or a collection of them", n)}
		}
		r.inputs = append(r.inputs, n)
	}
	sort.Strings(r.inputs)
	return nil
}

// onlyHandles reports whether v is a reference or a non-empty collection of references.
func onlyHandles(v cty.Value) bool {
	if v.IsNull() {
		return false
	}
	if v.Type().Equals(stage.HandleType) {
		return true
	}
	if !v.CanIterateElements() || v.LengthInt() == 0 {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, x := it.Element(); x.IsNull() || !x.Type().Equals(stage.HandleType) {
			return false
		}
	}
	return true
}

func (r *runner) readOutputs() error {
	if len(r.Outputs) == 0 {
		return stage.Attrf("outputs", "there is no output: name the files that the program writes, as in { report = \"report.parquet\" }")
	}
	taken := map[string]string{}
	for _, n := range sortedNames(r.Outputs) {
		at := cty.GetAttrPath("outputs").IndexString(n)
		p := r.Outputs[n]
		switch {
		case !name.MatchString(n):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("%q cannot name an output: it is part of an environment variable, and has letters, digits and _", n)}
		case !filepath.IsLocal(filepath.FromSlash(p)) || path.Clean(p) != p || p == "." || own(p):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("output %q is %q, and must be a plain path below the program's directory, such as report.parquet", n, p)}
		case taken[p] != "":
			return &stage.AttrError{Path: at, Err: fmt.Errorf("the outputs %q and %q are the same file", taken[p], n)}
		}
		taken[p] = n
		r.outputs = append(r.outputs, output{n, p})
	}
	for _, ref := range []struct {
		attr string
		name *string
	}{{"table", r.Table}, {"metrics", r.Metrics}} {
		if ref.name == nil {
			continue
		}
		if _, ok := r.Outputs[*ref.name]; !ok {
			return stage.Attrf(ref.attr, "%q is no output: the outputs are %s", *ref.name, strings.Join(sortedNames(r.Outputs), ", "))
		}
	}
	return nil
}

func (r *runner) readEnv() error {
	v := r.Env
	if v.IsNull() {
		return nil
	}
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return stage.Attrf("env", "the environment must be a map from names to strings or secrets, as in { TZ = \"UTC\" }")
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		n := k.AsString()
		at := cty.GetAttrPath("env").GetAttr(n)
		switch {
		case !name.MatchString(n) || strings.HasPrefix(n, "PIPE_"):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("%q cannot name a variable: names have letters, digits and _, and those that begin with PIPE_ are pipe's", n)}
		case !x.IsNull() && x.Type() == cty.String:
			r.plain[n] = x.AsString()
			if strings.ContainsRune(r.plain[n], 0) {
				return &stage.AttrError{Path: at, Err: fmt.Errorf("the variable %s holds a zero byte", n)}
			}
		case !x.IsNull() && x.Type().Equals(stage.SecretType):
			r.secrets[n] = x.EncapsulatedValue().(*stage.Secret)
		default:
			return &stage.AttrError{Path: at, Err: fmt.Errorf("the variable %s is %s, and must be a string or secret(\"NAME\")", n, x.Type().FriendlyName())}
		}
	}
	return nil
}

// checkCommand finds variables of pipe in the arguments that stand for nothing.
func (r *runner) checkCommand() error {
	known := map[string]string{}
	for _, n := range r.inputs {
		known["PIPE_INPUT_"+n], known["PIPE_INPUT_DIR_"+n] = "", ""
	}
	for _, o := range r.outputs {
		known["PIPE_OUTPUT_"+o.name] = ""
	}
	for i, arg := range r.Command {
		for _, v := range variable.FindAllStringSubmatch(arg, -1) {
			if _, ok := known[v[1]]; !ok {
				return &stage.AttrError{Path: cty.GetAttrPath("command").IndexInt(i),
					Err: fmt.Errorf("$%s stands for nothing: known are $%s", v[1], strings.Join(sortedNames(known), ", $"))}
			}
		}
	}
	return nil
}

var variable = regexp.MustCompile(`\$\{?(PIPE_(?:INPUT|OUTPUT)_[A-Za-z0-9_]+)\}?`)

// expand replaces pipe's variables in an argument.
func expand(arg string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(arg, func(m string) string { return values[strings.Trim(m, "${}")] })
}

// observed is one declared file as it is digested.
type observed struct {
	Path       string        `json:"path"`
	Executable bool          `json:"executable"`
	Digest     digest.Digest `json:"digest"`
}

// Observe implements stage.Observer: it digests the declared files.
func (r *runner) Observe(ctx context.Context, env stage.Env) (digest.Digest, error) {
	files, err := r.files(env)
	if err != nil {
		return "", err
	}
	for i := range files {
		if files[i].Digest, err = glob.Digest(ctx, files[i].abs); err != nil {
			return "", fmt.Errorf("%s cannot be read: %w", files[i].Path, err)
		}
	}
	return observation(files), nil
}

// file is a declared file and its place in the program's directory.
type file struct {
	observed
	abs string
}

func observation(files []file) digest.Digest {
	list := make([]observed, 0, len(files))
	for _, f := range files {
		list = append(list, f.observed)
	}
	return digest.JSON(list)
}

func (r *runner) files(env stage.Env) ([]file, error) {
	found, err := glob.Files(env, r.Files)
	if err != nil {
		return nil, &stage.AttrError{Path: cty.GetAttrPath("files"), Err: err}
	}
	list := make([]file, 0, len(found))
	taken := map[string]bool{}
	for _, g := range found {
		info, err := os.Stat(g.Path)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", g.Shown, glob.Plain(err))
		}
		rel := g.Shown
		if filepath.IsAbs(rel) { // outside the working directory, where the plan file allows it
			rel = filepath.Base(rel)
		}
		if taken[rel] || own(rel) {
			return nil, stage.Attrf("files", "%s cannot be put into the program's directory: the path %s is taken there", g.Shown, rel)
		}
		taken[rel] = true
		for _, o := range r.outputs {
			if o.path == rel {
				return nil, &stage.AttrError{Path: cty.GetAttrPath("outputs").IndexString(o.name),
					Err: fmt.Errorf("output %q is the declared file %s, so nobody could tell whether the program wrote it: use another path", o.name, rel)}
			}
		}
		list = append(list, file{observed{Path: rel, Executable: info.Mode()&0o111 != 0}, g.Path})
	}
	return list, nil
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
