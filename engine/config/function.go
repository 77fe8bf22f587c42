package config

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// functions returns the functions of the language.
func (l *loader) functions() map[string]function.Function {
	f := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc, "max": stdlib.MaxFunc,
		"min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,
		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
		"join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
		"replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
		"title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
		"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "index": stdlib.IndexFunc, "keys": stdlib.KeysFunc,
		"length": lengthFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc,
		"setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tolist": collection(stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), cty.List, cty.ListVal),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "tonumber": stdlib.MakeToFunc(cty.Number),
		"toset": collection(stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), cty.Set, cty.SetVal), "tostring": stdlib.MakeToFunc(cty.String),
		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"yamldecode": yaml.YAMLDecodeFunc, "yamlencode": yaml.YAMLEncodeFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc, "try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"startswith": textTest(strings.HasPrefix), "endswith": textTest(strings.HasSuffix),
		"base64encode": text("text", func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"base64decode": text("text", decodeBase64),
		"sha256":       text("text", func(s string) (string, error) { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]), nil }),
		"basename":     text("path", func(s string) (string, error) { return path.Base(s), nil }),
		"dirname":      text("path", func(s string) (string, error) { return path.Dir(s), nil }),
	}
	for name, fn := range periodFunctions() {
		f[name] = fn
	}
	for name, fn := range l.fileFunctions() {
		f[name] = fn
	}
	for name, fn := range l.outsideFunctions() {
		f[name] = fn
	}
	for _, name := range []string{"timestamp", "uuid", "bcrypt", "plantimestamp", "uuidv5"} {
		f[name] = refused(name)
	}
	return f
}

// absent is the error of a function that asks for something outside that is not there.
type absent struct {
	code    diag.Code
	summary string
	err     error
}

func absentf(code diag.Code, summary, format string, args ...any) *absent {
	return &absent{code, summary, fmt.Errorf(format, args...)}
}

func (e *absent) Error() string { return e.err.Error() }
func (e *absent) Unwrap() error { return e.err }

var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowMarked: true}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, marks := args[0].Unmark()
		switch {
		case v.Type() == cty.String:
			out, err := stdlib.Strlen(v)
			return out.WithMarks(marks), err
		case v.Type().IsObjectType():
			return cty.NumberIntVal(int64(len(v.Type().AttributeTypes()))).WithMarks(marks), nil
		case v.CanIterateElements():
			return v.Length().WithMarks(marks), nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "a list, a set, a map, an object or a string is needed")
	},
})

func text(param string, fn func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := fn(args[0].AsString())
			var gone *absent
			if errors.As(err, &gone) {
				return cty.NilVal, gone
			}
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func decodeBase64(s string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", errors.New("this is not base64")
	}
	return string(b), nil
}

func textTest(fn func(string, string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(fn(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// refused is a function that other languages have and that would make equal plan files give different plans.
func refused(name string) function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true},
		Type: func([]cty.Value) (cty.Type, error) {
			return cty.NilType, fmt.Errorf("%s() is not part of the language, because equal plan files must give equal plans; pass what you need as a variable", name)
		},
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return cty.NilVal, errors.New("unreachable") },
	})
}

// fileFunctions read files below the working directory and the allowed paths.
func (l *loader) fileFunctions() map[string]function.Function {
	read := func(p string) (string, error) {
		abs, err := l.confine(p)
		if err != nil {
			return "", err
		}
		b, err := l.reads.file(abs)
		if err != nil {
			return "", absentf("config.missing_file", "Missing file", "the file %q cannot be read: %s", p, reason(err))
		}
		return string(b), nil
	}
	return map[string]function.Function{
		"file": text("path", read),
		"fileexists": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Bool),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				abs, err := l.confine(args[0].AsString())
				if err != nil {
					return cty.NilVal, function.NewArgError(0, err)
				}
				info, err := os.Stat(abs)
				l.reads.add(readKind, abs, kindOf(info, err))
				return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
			},
		}),
		"fileset": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "dir", Type: cty.String}, {Name: "pattern", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Set(cty.String)),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return l.fileSet(args[0].AsString(), args[1].AsString())
			},
		}),
		"templatefile": l.templateFunc(read),
	}
}

// fileSet lists the regular files below dir whose relative path matches the pattern; ** matches directories.
func (l *loader) fileSet(dir, pattern string) (cty.Value, error) {
	abs, err := l.confine(dir)
	if err != nil {
		return cty.NilVal, function.NewArgError(0, err)
	}
	match, err := globPattern(pattern)
	if err != nil {
		return cty.NilVal, function.NewArgError(1, err)
	}
	files, err := filesBelow(abs)
	l.reads.add(readTree, abs, digest.JSON(files))
	var found []cty.Value
	for _, rel := range files {
		if match.MatchString(rel) {
			found = append(found, cty.StringVal(rel))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cty.NilVal, fmt.Errorf("the directory %q cannot be read: %s", dir, reason(err))
	}
	if len(found) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	return cty.SetVal(found), nil
}

// filesBelow lists the regular files below a directory, relative to it, with slashes.
func filesBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	return files, err
}

// globPattern translates *, ?, ** and {a,b} to a regular expression.
func globPattern(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	depth := 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '{':
			b.WriteString("(?:")
			depth++
		case c == '}' && depth > 0:
			b.WriteString(")")
			depth--
		case c == ',' && depth > 0:
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.Compile(b.String() + "$")
}

// templateFunc renders a file with variables of its own.
func (l *loader) templateFunc(read func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			src, err := read(name)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if !args[1].Type().IsObjectType() && !args[1].Type().IsMapType() {
				return cty.NilVal, function.NewArgErrorf(1, "the variables of a template are an object")
			}
			expr, diags := hclsyntax.ParseTemplate([]byte(src), name, hcl.InitialPos)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgErrorf(0, "%s, line %d: %s", name, diags[0].Subject.Start.Line, diags[0].Detail)
			}
			functions := map[string]function.Function{}
			for n, fn := range l.root.Functions {
				if n != "templatefile" {
					functions[n] = fn
				}
			}
			v, diags := expr.Value(&hcl.EvalContext{Functions: functions, Variables: args[1].AsValueMap()})
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgErrorf(0, "%s, line %d: %s", name, diags[0].Subject.Start.Line, diags[0].Detail)
			}
			return convert.Convert(v, cty.String)
		},
	})
}

// outsideFunctions read configuration, the environment, and names of secrets.
func (l *loader) outsideFunctions() map[string]function.Function {
	return map[string]function.Function{
		"config": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "topic", Type: cty.String}},
			Type: func(args []cty.Value) (cty.Type, error) {
				if !args[0].IsKnown() {
					return cty.DynamicPseudoType, nil
				}
				v, err := l.topic(args[0].AsString())
				if err != nil {
					return cty.NilType, &absent{"config.missing_topic", "Configuration cannot be read", err}
				}
				return v.Type(), nil
			},
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return l.topic(args[0].AsString()) },
		}),
		"secret": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "name", Type: cty.String}},
			Type:   function.StaticReturnType(stage.SecretType),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				name := args[0].AsString()
				if !envName.MatchString(name) {
					return cty.NilVal, function.NewArgErrorf(0, "%s cannot be the name of an environment variable", strconv.Quote(name))
				}
				if !l.secretSet(name) && !l.opts.MissingSecretsOK {
					return cty.NilVal, absentf("config.missing_secret", "Missing secret", "the environment variable %s is not set. A secret is read from the environment when its node runs: set %s where pipe runs, or in .env in the dev environment", name, name)
				}
				return cty.CapsuleVal(stage.SecretType, &stage.Secret{Name: name}), nil
			},
		}),
		"env": function.New(&function.Spec{
			Params:   []function.Parameter{{Name: "name", Type: cty.String}},
			VarParam: &function.Parameter{Name: "default", Type: cty.String},
			Type:     function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				name := args[0].AsString()
				v, ok := l.getenv(name)
				switch {
				case ok:
					return cty.StringVal(v), nil
				case len(args) > 1:
					return args[1], nil
				}
				return cty.NilVal, absentf("config.missing_env", "Missing environment variable", "the environment variable %s is not set. Set it, or give a default: env(%q, \"…\")", name, name)
			},
		}),
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// FunctionNames lists the functions of the language, sorted.
func FunctionNames() []string {
	l := newLoader(LoadOptions{})
	var names []string
	for n := range l.root.Functions {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
