package config

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// outputs evaluates the output blocks of the root, whose values are shown, or of a module, whose values its caller uses.
func (l *loader) outputs(may reach) []Output {
	seen := map[string]*hclsyntax.Block{}
	var list []Output
	for _, b := range l.top.outputs {
		name := b.Labels[0]
		if first := seen[name]; first != nil {
			l.duplicate("The output "+name, b.DefRange(), first.DefRange())
			continue
		}
		seen[name] = b
		if out, ok := l.output(name, b, may); ok {
			list = append(list, out)
		}
	}
	return list
}

func (l *loader) output(name string, b *hclsyntax.Block, may reach) (Output, bool) {
	out := Output{Name: name, Value: cty.NilVal}
	for _, a := range sortedAttrs(b.Body.Attributes) {
		switch a.Name {
		case "value":
			v, ok := l.eval(a.Expr, l.static("an output", may))
			if !ok || !v.IsWhollyKnown() {
				continue
			}
			out.Sensitive = out.Sensitive || isSensitive(v)
			out.Value, _ = v.UnmarkDeep()
			if l.parent == nil && holds(out.Value.Type(), stage.HandleType) {
				l.add(asValue(out.Value, cty.String, a.Expr.Range()))
				out.Value = cty.NilVal
			}
		case "description":
			l.stringOf(a, l.static("description", refVar|refPipe))
		case "sensitive":
			s, _ := l.boolOf(a, l.static("sensitive", refVar|refPipe))
			out.Sensitive = out.Sensitive || s
		default:
			l.unknownAttr(a, "an output block", []string{"value", "description", "sensitive"})
		}
	}
	l.noBlocks(b)
	if b.Body.Attributes["value"] == nil {
		l.errorf("config.missing_attribute", b.DefRange(), "Missing attribute", "An output block needs value.")
	}
	return out, out.Value != cty.NilVal
}
