package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"pipe/engine/diag"
	"pipe/engine/stage"
)

// eval evaluates an expression. After a mistake it returns DynamicVal and false. The value may have marks, and may be
// unknown, which means that a mistake elsewhere is reported already.
func (l *loader) eval(expr hclsyntax.Expression, ev evaluation) (cty.Value, bool) {
	if !ev.memo.isConstant(expr) {
		return l.evalOnce(expr, ev)
	}
	r, known := ev.memo.values[expr]
	if !known {
		r.value, r.ok = l.evalOnce(expr, ev)
		ev.memo.values[expr] = r
	}
	return r.value, r.ok
}

func (l *loader) evalOnce(expr hclsyntax.Expression, ev evaluation) (cty.Value, bool) {
	if !l.checkRefs(expr, ev) {
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(ev.ctx)
	for _, d := range diags {
		l.add(l.explain(d))
	}
	if diags.HasErrors() {
		return cty.DynamicVal, false
	}
	return v, true
}

// plain evaluates an attribute, converts it to ty and takes the marks off. Null, unknown and sensitive values are
// refused; for an unknown value there is a diagnostic already.
func (l *loader) plain(a *hclsyntax.Attribute, ty cty.Type, ev evaluation) (cty.Value, bool) {
	v, ok := l.eval(a.Expr, ev)
	if !ok {
		return cty.NilVal, false
	}
	if isSensitive(v) {
		l.sensitiveValue(a)
		return cty.NilVal, false
	}
	c, err := convert.Convert(v, ty)
	if err != nil {
		l.wrongType(a, ty, v, err, ev)
		return cty.NilVal, false
	}
	if !c.IsWhollyKnown() {
		return cty.NilVal, false
	}
	if c.IsNull() {
		l.errorf("config.bad_value", a.Expr.Range(), "Invalid value",
			"%s must not be null: give it a value, or take the line away.", a.Name)
		return cty.NilVal, false
	}
	c, _ = c.UnmarkDeep()
	return c, true
}

func (l *loader) stringOf(a *hclsyntax.Attribute, ev evaluation) (string, bool) {
	v, ok := l.plain(a, cty.String, ev)
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

func (l *loader) boolOf(a *hclsyntax.Attribute, ev evaluation) (bool, bool) {
	v, ok := l.eval(a.Expr, ev)
	if !ok {
		return false, false
	}
	v, _ = v.UnmarkDeep() // that a condition holds says little of the values in it
	c, err := convert.Convert(v, cty.Bool)
	if err != nil {
		l.wrongType(a, cty.Bool, v, err, ev)
		return false, false
	}
	if !c.IsKnown() {
		return false, false
	}
	if c.IsNull() {
		l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "%s must be true or false, and is null.", a.Name)
		return false, false
	}
	return c.True(), true
}

func (l *loader) wholeOf(a *hclsyntax.Attribute, ev evaluation, least, most int) (int, bool) {
	v, ok := l.plain(a, cty.Number, ev)
	if !ok {
		return 0, false
	}
	f := v.AsBigFloat()
	n, _ := f.Int64()
	if !f.IsInt() || n < int64(least) || n > int64(most) {
		l.errorf("config.bad_value", a.Expr.Range(), "Invalid value",
			"%s must be a whole number from %d to %d, and is %s.", a.Name, least, most, f.Text('g', 10))
		return 0, false
	}
	return int(n), true
}

func (l *loader) sensitiveValue(a *hclsyntax.Attribute) {
	l.errorf("config.sensitive_value", a.Expr.Range(), "Sensitive value in a configuration",
		"%s holds the value of a sensitive variable, and configuration is written to plans and to the state. Use secret(\"NAME\"), which is read from the environment when the node runs and written nowhere.",
		a.Name)
}

// wrongType says that the value of an attribute cannot be converted.
func (l *loader) wrongType(a *hclsyntax.Attribute, ty cty.Type, v cty.Value, err error, ev evaluation) {
	at, part := l.place(a.Expr, pathOf(err), ev)
	if d := asValue(v, ty, at); d != nil {
		l.add(d)
		return
	}
	why := ": " + convertMessage(err) + given(part)
	if why == ": "+ty.FriendlyName()+" required" {
		why = ", and this is " + friendly(v.Type())
	}
	l.errorf("config.bad_type", at, "Wrong type of a value", "%s takes %s%s.%s", a.Name, friendly(ty), why, originOf(part))
}

// given spells a short text or number that does not fit.
func given(v cty.Value) string {
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.String || len(v.AsString()) > 60 {
		return ""
	}
	return fmt.Sprintf(", and this is %q", v.AsString())
}

// pathOf is the path inside the value that a conversion error is about.
func pathOf(err error) cty.Path {
	var pe cty.PathError
	if errors.As(err, &pe) {
		return pe.Path
	}
	return nil
}

func convertMessage(err error) string {
	var pe cty.PathError
	if errors.As(err, &pe) && len(pe.Path) > 0 {
		return "at " + strings.TrimPrefix(pathString(pe.Path), ".") + ", " + pe.Error()
	}
	return err.Error()
}

func pathString(path cty.Path) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			if k, err := convert.Convert(s.Key, cty.String); err == nil && k.IsKnown() {
				if s.Key.Type() == cty.String {
					fmt.Fprintf(&b, "[%q]", k.AsString())
				} else {
					fmt.Fprintf(&b, "[%s]", k.AsString())
				}
			}
		}
	}
	return b.String()
}

func friendly(ty cty.Type) string {
	switch {
	case ty == cty.DynamicPseudoType:
		return "any value"
	case ty.Equals(stage.HandleType):
		return "a reference such as stage.NAME"
	case ty.Equals(stage.SecretType):
		return `a secret, secret("NAME")`
	case ty.IsPrimitiveType():
		return "a " + ty.FriendlyName()
	case ty.IsObjectType():
		return "an object"
	}
	return "a " + ty.FriendlyName()
}

// explain makes a diagnostic of HCL's evaluator say what it means for this language.
func (l *loader) explain(d *hcl.Diagnostic) *hcl.Diagnostic {
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		var gone *absent
		if errors.As(call.FunctionCallError(), &gone) {
			return diag.Error(gone.code, d.Subject, gone.summary, "%s", sentence(gone.Error()))
		}
	}
	d.Extra = diag.Code("config.expression")
	if d.Expression == nil || d.EvalContext == nil || d.Subject == nil {
		return d
	}
	if missing := l.missingKey(d); missing != nil {
		return missing
	}
	for _, expr := range append([]hcl.Expression{d.Expression}, operands(d.Expression)...) {
		v, diags := expr.Value(d.EvalContext)
		if diags.HasErrors() {
			continue
		}
		if as := asValue(v, cty.String, expr.Range()); as != nil {
			return as
		}
		if o := originOf(v); o != "" && !strings.Contains(d.Detail, o) {
			d.Detail += o
		}
	}
	if as := l.prefixAsValue(d); as != nil {
		return as
	}
	return d
}

// operands are the expressions whose values may have caused a diagnostic about expr.
func operands(expr hcl.Expression) []hcl.Expression {
	switch e := expr.(type) {
	case *hclsyntax.FunctionCallExpr:
		if e.Name == "try" || e.Name == "can" {
			return nil
		}
		return asExprs(e.Args)
	case *hclsyntax.BinaryOpExpr:
		return asExprs([]hclsyntax.Expression{e.LHS, e.RHS})
	case *hclsyntax.UnaryOpExpr:
		return asExprs([]hclsyntax.Expression{e.Val})
	case *hclsyntax.ConditionalExpr:
		return asExprs([]hclsyntax.Expression{e.Condition})
	case *hclsyntax.ForExpr:
		return asExprs([]hclsyntax.Expression{e.CollExpr})
	case *hclsyntax.IndexExpr:
		return asExprs([]hclsyntax.Expression{e.Collection, e.Key})
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.ParenthesesExpr:
		return []hcl.Expression{expr}
	}
	return nil
}

func asExprs(list []hclsyntax.Expression) []hcl.Expression {
	out := make([]hcl.Expression, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// prefixAsValue explains a traversal that goes on behind a reference, such as local.bars.rows.
func (l *loader) prefixAsValue(d *hcl.Diagnostic) *hcl.Diagnostic {
	st, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !ok {
		return nil
	}
	for n := len(st.Traversal) - 1; n >= 2; n-- {
		v, diags := st.Traversal[:n].TraverseAbs(d.EvalContext)
		if !diags.HasErrors() {
			return asValue(v, cty.String, st.Range())
		}
	}
	return nil
}

// asValue returns the diagnostic for a reference or a secret that is used where a value of type want is needed.
func asValue(v cty.Value, want cty.Type, at hcl.Range) *hcl.Diagnostic {
	if containsType(want, stage.HandleType) {
		if v.Type().IsObjectType() && holds(v.Type(), stage.HandleType) {
			return diag.Error("config.bad_type", at.Ptr(), "A group of references where one is needed",
				"This is a group of references, and the attribute takes one. A block with for_each is such a group: choose one of its instances, as in stage.NAME[\"key\"].")
		}
		return nil
	}
	if holds(v.Type(), stage.HandleType) {
		return diag.Error("config.reference_as_value", at.Ptr(), "A reference is not a value",
			"A reference stands for what a node will produce and has no value of its own: no value in a plan file depends on the result of a run. Give it to an attribute that takes a reference. What must depend on results is an expectation.")
	}
	if holds(v.Type(), stage.SecretType) && !containsType(want, stage.SecretType) {
		return diag.Error("config.secret_as_value", at.Ptr(), "A secret is not a value",
			"secret(\"NAME\") names an environment variable that is read when the node runs. Its value is never part of the configuration, so it cannot be converted, compared or put into text. Put the whole text into the environment variable, and give the secret to an attribute that takes one.")
	}
	return nil
}

// holds reports whether values of type ty are or hold values of the capsule type c.
func holds(ty, c cty.Type) bool {
	switch {
	case ty.Equals(c):
		return true
	case ty.IsCollectionType():
		return holds(ty.ElementType(), c)
	case ty.IsTupleType():
		for _, e := range ty.TupleElementTypes() {
			if holds(e, c) {
				return true
			}
		}
	case ty.IsObjectType():
		for _, e := range ty.AttributeTypes() {
			if holds(e, c) {
				return true
			}
		}
	}
	return false
}

func containsType(want, c cty.Type) bool { return want == cty.DynamicPseudoType || holds(want, c) }

func containsCapsule(v cty.Value) bool {
	return holds(v.Type(), stage.HandleType) || holds(v.Type(), stage.SecretType)
}

// sentence makes a sentence of an error's text. A first word that is a name stays as it is.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if !strings.HasSuffix(s, "?") {
		s = strings.TrimSuffix(s, ".") + "."
	}
	if first, _, _ := strings.Cut(s, " "); strings.ContainsAny(first, "._:/\\\"(") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
