package config

import (
	"encoding/json"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"pipe/engine/diag"
)

// fileValue is a value that a --var-file gives.
type fileValue struct {
	value cty.Value
	file  string
	place *hcl.Range // nil in JSON
}

func (f *fileValue) at(other hcl.Range) hcl.Range {
	if f.place != nil {
		return *f.place
	}
	return other
}

// readVarFiles reads the files in order; later ones win.
func (l *loader) readVarFiles(names []string) map[string]*fileValue {
	values := map[string]*fileValue{}
	for _, path := range l.opts.VarFiles {
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.opts.WorkDir, path)
		}
		if filepath.Ext(path) == ".json" {
			l.varJSON(path, names, values)
		} else {
			l.varHCL(path, names, values)
		}
	}
	return values
}

func (l *loader) varHCL(path string, names []string, values map[string]*fileValue) {
	body, ok := l.parseFile(path)
	if !ok {
		return
	}
	for _, b := range body.Blocks {
		l.errorf("config.var_file", b.DefRange(), "Block in a file of variables",
			"A --var-file has lines name = value and no blocks.")
	}
	for _, a := range sortedAttrs(body.Attributes) {
		if l.vars[a.Name] == nil {
			l.errorf("config.variable_undeclared", a.NameRange, "Undeclared variable",
				"There is no variable block %q in the plan.%s", a.Name, diag.DidYouMean(a.Name, names))
			continue
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			l.add(diags...)
			continue
		}
		values[a.Name] = &fileValue{value: v, file: l.display(path), place: a.Expr.Range().Ptr()}
	}
}

func (l *loader) varJSON(path string, names []string, values map[string]*fileValue) {
	fail := func(format string, args ...any) {
		l.add(diag.Error("config.var_file", nil, "Unreadable file of variables", format, args...))
	}
	name := l.display(path)
	src, err := l.reads.file(path)
	if err != nil {
		fail("%s cannot be read: %s.", name, reason(err))
		return
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(src, &raw); err != nil {
		fail("%s must hold one JSON object with the values of variables: %s.", name, err)
		return
	}
	for _, key := range sortedKeys(raw) {
		if l.vars[key] == nil {
			l.add(diag.Error("config.variable_undeclared", nil, "Undeclared variable",
				"%s: there is no variable block %q in the plan.%s", name, key, diag.DidYouMean(key, names)))
			continue
		}
		ty, err := ctyjson.ImpliedType(raw[key])
		if err != nil {
			fail("%s: the value of %s cannot be used: %s.", name, key, err)
			continue
		}
		v, err := ctyjson.Unmarshal(raw[key], ty)
		if err != nil {
			fail("%s: the value of %s cannot be used: %s.", name, key, err)
			continue
		}
		values[key] = &fileValue{value: v, file: name}
	}
}
