package config

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/approval"
)

// approval decodes which approvals the plans of this pipeline need.
func (l *loader) approval(b *hclsyntax.Block, ev evaluation) {
	p := approval.Policy{Required: 1}
	whole := true
	for _, a := range sortedAttrs(b.Body.Attributes) {
		ok := false
		switch a.Name {
		case "required":
			p.Required, ok = l.wholeOf(a, ev, 1, 100)
		case "keys":
			p.Keys, ok = l.approvalKeys(a, ev)
		case "exclude_author":
			p.ExcludeAuthor, ok = l.boolOf(a, ev)
		default:
			l.unknownAttr(a, "the approval block", []string{"required", "keys", "exclude_author"})
		}
		whole = whole && ok
	}
	l.noBlocks(b)
	if !whole {
		return
	}
	if err := p.Check(); err != nil {
		l.errorf("config.approval", b.DefRange(), "Approval that nobody can give",
			"%s. Put the public keys of those who may approve into keys, as pipe approve --new-key prints them.", sentenceStart(err.Error()))
		return
	}
	l.p.Settings.Approval = &p
}

func (l *loader) approvalKeys(a *hclsyntax.Attribute, ev evaluation) ([]string, bool) {
	v, ok := l.plain(a, cty.List(cty.String), ev)
	if !ok {
		return nil, false
	}
	var keys []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() {
			l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "One of the keys is null.")
			return nil, false
		}
		if _, err := approval.ParseKey(e.AsString()); err != nil {
			l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "The key %q cannot be used: %s.", e.AsString(), err)
			return nil, false
		}
		keys = append(keys, e.AsString())
	}
	return keys, true
}
