package config

import (
	"bytes"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// groupType wraps all instances of a block as one opaque value. A function gets its arguments looked through for marks
// before it is called, which for a group of thousands costs more than the call; it does not look into this.
var groupType = cty.Capsule("group", reflect.TypeFor[cty.Value]())

// groupArg is the first argument of window(). It is a pair of parentheses to those who look for references in it.
type groupArg struct{ *hclsyntax.ParenthesesExpr }

func (g *groupArg) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := g.ParenthesesExpr.Value(ctx)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() {
		return v, diags
	}
	return cty.CapsuleVal(groupType, &v), diags
}

// wrapGroups wraps the first argument of every call of window().
func wrapGroups(src []byte, body *hclsyntax.Body) {
	if !bytes.Contains(src, []byte("window")) {
		return
	}
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "window" && len(call.Args) == 3 {
			call.Args[0] = &groupArg{&hclsyntax.ParenthesesExpr{Expression: call.Args[0], SrcRange: call.Args[0].Range()}}
		}
		return nil
	})
}
