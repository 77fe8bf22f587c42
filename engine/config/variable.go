package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/diag"
	"pipe/engine/stage"
)

// variable is a variable block. value is DynamicVal until it is known, and stays so after a mistake.
type variable struct {
	name        string
	block       *hclsyntax.Block
	ty          cty.Type
	typed       bool
	defaults    *typeexpr.Defaults
	fallback    cty.Value // the default; NilVal if there is none
	sensitive   bool
	validations []*hclsyntax.Block
	value       cty.Value
	given       *hcl.Range // where the caller of a module gives the value
}

// sensitiveMark is on the value of a sensitive variable and on all that is made of it.
type sensitiveMark struct{ variable string }

// loadVariables decodes the variable blocks of the root, gives each its value and checks it.
func (l *loader) loadVariables() {
	names := l.variableNames()
	l.undeclared(names)
	fromFiles := l.readVarFiles(names)
	l.setVariables(names, func(v *variable) cty.Value { return l.variableValue(v, fromFiles[v.name]) })
	for _, name := range names {
		v := l.vars[name]
		l.p.Variables = append(l.p.Variables, Variable{Name: name, Value: v.value, Sensitive: v.sensitive})
	}
}

// moduleVariables does the same for a module, whose caller gives the values.
func (l *loader) moduleVariables(caller *loader, c *call, in instance) {
	l.setVariables(l.variableNames(), func(v *variable) cty.Value {
		a := c.src.Body.Attributes[v.name]
		if a == nil || containsString(callArguments(), v.name) {
			if v.fallback == cty.NilVal {
				l.errorf("config.missing_attribute", c.family.at, "Missing attribute",
					"The module %s needs the variable %s (%s, line %d), which has no default.", l.display(c.dir), v.name,
					v.block.DefRange().Filename, v.block.DefRange().Start.Line)
				return cty.DynamicVal
			}
			return v.fallback
		}
		at := a.Expr.Range()
		v.given = &at
		in.ev.where = v.name
		val, ok := caller.eval(a.Expr, in.ev)
		if !ok {
			return cty.DynamicVal
		}
		val, _ = l.convertVariable(v, val, at, "the value given here")
		return val
	})
}

func (l *loader) variableNames() []string {
	for _, b := range l.top.variables {
		name := b.Labels[0]
		if prev := l.vars[name]; prev != nil {
			l.duplicate("The variable "+name, b.DefRange(), prev.block.DefRange())
			continue
		}
		l.vars[name] = &variable{name: name, block: b, ty: cty.DynamicPseudoType, fallback: cty.NilVal, value: cty.DynamicVal}
	}
	return sortedKeys(l.vars)
}

// setVariables decodes the blocks and checks the values, once all of them are known.
func (l *loader) setVariables(names []string, valueOf func(*variable) cty.Value) {
	usable := map[string]bool{}
	for _, name := range names {
		usable[name] = l.declareVariable(l.vars[name])
	}
	vals := map[string]cty.Value{}
	for _, name := range names {
		v := l.vars[name]
		if usable[name] {
			v.value = valueOf(v)
		}
		vals[name] = v.value
		if v.sensitive && v.value.IsWhollyKnown() {
			l.redact = append(l.redact, leaves(v.value)...)
			vals[name] = v.value.Mark(sensitiveMark{name})
		}
	}
	l.root.Variables["var"] = cty.ObjectVal(vals)
	for _, name := range names {
		l.validate(l.vars[name])
	}
}

// declareVariable decodes the block; it reports whether a value can be converted to the variable's type.
func (l *loader) declareVariable(v *variable) bool {
	ok := true
	names := []string{"type", "default", "description", "sensitive"}
	ev := l.static("a variable", refPipe)
	for _, a := range sortedAttrs(v.block.Body.Attributes) {
		switch a.Name {
		case "type":
			ty, defaults, good := l.variableType(a.Expr)
			if !good {
				ok = false
				continue
			}
			v.ty, v.defaults, v.typed = ty, defaults, true
		case "default", "description":
		case "sensitive":
			v.sensitive, _ = l.boolOf(a, ev)
		default:
			l.unknownAttr(a, "a variable block", names)
		}
	}
	if a := v.block.Body.Attributes["description"]; a != nil {
		l.stringOf(a, ev)
	}
	for _, b := range v.block.Body.Blocks {
		if b.Type != "validation" || len(b.Labels) > 0 {
			l.errorf("config.unknown_block", b.TypeRange, "Unknown block type",
				"A variable block has no blocks %q. It may have validation { condition = …, error_message = … }.", b.Type)
			continue
		}
		v.validations = append(v.validations, b)
	}
	if a := v.block.Body.Attributes["default"]; a != nil && ok {
		val, good := l.eval(a.Expr, ev)
		if !good {
			return false
		}
		v.fallback, good = l.convertVariable(v, val, a.Expr.Range(), "its default")
		if !v.typed && good {
			v.ty = kindOfDefault(v.fallback)
		}
		ok = good
	}
	return ok
}

// variableType decodes a type constraint. A variable of a module may also take references and secrets, alone or in a list
// or map.
func (l *loader) variableType(expr hclsyntax.Expression) (cty.Type, *typeexpr.Defaults, bool) {
	special := false
	for _, t := range expr.Variables() {
		special = special || t.RootName() == "reference" || t.RootName() == "secret"
	}
	if !special {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(expr)
		l.add(diags...)
		return ty, defaults, !diags.HasErrors()
	}
	ty, ok := handleType(expr)
	switch {
	case !ok:
		l.errorf("config.variable_type", expr.Range(), "Invalid type of a variable",
			"reference and secret stand alone or in list(…) or map(…). In the place of an object with references use one variable for each, or any.")
	case l.parent == nil:
		l.errorf("config.variable_type", expr.Range(), "Invalid type of a variable",
			"Only a variable of a module can take %s: the variables of a plan get their values from outside.", friendly(ty))
		ok = false
	}
	return ty, nil, ok
}

func handleType(expr hclsyntax.Expression) (cty.Type, bool) {
	switch hcl.ExprAsKeyword(expr) {
	case "reference":
		return stage.HandleType, true
	case "secret":
		return stage.SecretType, true
	}
	c, ok := expr.(*hclsyntax.FunctionCallExpr)
	if !ok || len(c.Args) != 1 {
		return cty.NilType, false
	}
	of, ok := handleType(c.Args[0])
	switch {
	case ok && c.Name == "list":
		return cty.List(of), true
	case ok && c.Name == "map":
		return cty.Map(of), true
	}
	return cty.NilType, false
}

// kindOfDefault decides how a value from the command line is read for a variable without a type.
func kindOfDefault(v cty.Value) cty.Type {
	if ty := v.Type(); ty == cty.String || ty == cty.Number || ty == cty.Bool {
		return ty
	}
	return cty.DynamicPseudoType
}

func (l *loader) convertVariable(v *variable, val cty.Value, at hcl.Range, from string) (cty.Value, bool) {
	secret := isSensitive(val)
	if l.parent == nil || v.defaults != nil {
		val, _ = val.UnmarkDeep()
	}
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.ty)
	if secret && err == nil {
		out = out.Mark(sensitiveMark{v.name})
	}
	if err != nil && (v.sensitive || secret) {
		l.redact = append(l.redact, leaves(val)...)
		at = v.block.DefRange()
	}
	if err != nil {
		l.errorf("config.variable_type", at, "Wrong type of a variable",
			"The variable %s takes %s, and %s does not fit: %s.%s", v.name, friendly(v.ty), from, convertMessage(err), originOf(val))
		return cty.DynamicVal, false
	}
	if l.parent == nil && containsCapsule(out) {
		l.errorf("config.variable_type", at, "Wrong type of a variable",
			"The variable %s holds a secret. Variables are written to plans: use secret(\"NAME\") where the secret is needed.", v.name)
		return cty.DynamicVal, false
	}
	return out, true
}

// variableValue finds the value: --var, --var-file, PIPE_VAR_name, the default.
func (l *loader) variableValue(v *variable, fromFile *fileValue) cty.Value {
	at := v.block.DefRange()
	if s, ok := l.opts.Vars[v.name]; ok {
		return l.variableText(v, s, "--var")
	}
	if fromFile != nil {
		val, ok := l.convertVariable(v, fromFile.value, fromFile.at(at), "the value in "+fromFile.file)
		if !ok {
			return cty.DynamicVal
		}
		return val
	}
	if s, ok := l.getenv("PIPE_VAR_" + v.name); ok {
		return l.variableText(v, s, "the environment variable PIPE_VAR_"+v.name)
	}
	if v.fallback == cty.NilVal {
		l.errorf("config.variable_missing", at, "No value for a variable",
			"The variable %s has no default and got no value. Give it with --var %s=…, in a --var-file, or in the environment variable PIPE_VAR_%s.",
			v.name, v.name, v.name)
		return cty.DynamicVal
	}
	return v.fallback
}

// variableText reads a value that came as text: as it is for strings, as an expression for all others. The text itself
// stands in no diagnostic of a sensitive variable.
func (l *loader) variableText(v *variable, text, from string) cty.Value {
	at := v.block.DefRange()
	if v.ty == cty.String || !v.typed && v.ty == cty.DynamicPseudoType && v.fallback == cty.NilVal {
		return cty.StringVal(text)
	}
	if v.sensitive {
		l.redact = append(l.redact, text)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if !diags.HasErrors() {
		var val cty.Value
		val, diags = expr.Value(nil)
		if !diags.HasErrors() {
			out, ok := l.convertVariable(v, val, at, "the value of "+from)
			if !ok {
				return cty.DynamicVal
			}
			return out
		}
	}
	why := strings.TrimSuffix(strings.ReplaceAll(diags[0].Detail, "\n", " "), ".")
	l.errorf("config.variable_type", at, "Wrong type of a variable",
		"The variable %s takes %s, and the value of %s cannot be read as that: %s. Values that are no strings are written as in a plan file, such as 3, true or [\"a\", \"b\"].",
		v.name, friendly(v.ty), from, why)
	return cty.DynamicVal
}

func (l *loader) undeclared(names []string) {
	for _, given := range sortedKeys(l.opts.Vars) {
		if l.vars[given] == nil {
			l.add(diag.Error("config.variable_undeclared", nil, "Undeclared variable",
				"--var %s: there is no variable block %q in the plan.%s", given, given, diag.DidYouMean(given, names)))
		}
	}
}

// validate checks the value against the validation blocks.
func (l *loader) validate(v *variable) {
	for _, b := range v.validations {
		cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
		for _, a := range sortedAttrs(b.Body.Attributes) {
			if a != cond && a != msg {
				l.unknownAttr(a, "a validation block", []string{"condition", "error_message"})
			}
		}
		if cond == nil || msg == nil {
			l.errorf("config.missing_attribute", b.DefRange(), "Missing attribute",
				"A validation block needs condition and error_message.")
			continue
		}
		ev := l.static("a validation", refVar|refPipe)
		holds, ok := l.boolOf(cond, ev)
		if !ok || holds {
			continue
		}
		text, ok := l.eval(msg.Expr, ev)
		if !ok || text.IsNull() || !text.IsKnown() || text.Type() != cty.String {
			text = cty.StringVal("The value is not valid.")
		}
		if isSensitive(text) {
			text = cty.StringVal("The value is not valid. (The error message holds a sensitive value and is not shown.)")
		}
		plain, _ := text.Unmark()
		at, checked := cond.Expr.Range(), ""
		if v.given != nil {
			checked = fmt.Sprintf(" (This is checked in %s, line %d.)", at.Filename, at.Start.Line)
			at = *v.given
		}
		l.errorf("config.variable_invalid", at, "Invalid value for a variable",
			"The variable %s: %s%s", v.name, plain.AsString(), checked)
	}
}

// leaves lists the texts of the primitive values in v.
func leaves(v cty.Value) []string {
	var texts []string
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.IsKnown() && !x.IsNull() && (x.Type() == cty.String || x.Type() == cty.Number) {
			if s, err := convert.Convert(x, cty.String); err == nil && s.AsString() != "" {
				texts = append(texts, s.AsString())
			}
		}
		return true, nil
	})
	return texts
}

func isSensitive(v cty.Value) bool {
	for range cty.ValueMarksOfTypeDeep[sensitiveMark](v) {
		return true
	}
	return false
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
