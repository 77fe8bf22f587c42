package config

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/check"
)

// memo keeps what all instances of a block have in common, so that it is found out once: expressions that do not mention
// each have one value, and references that were checked for one instance are good for all. A nil memo keeps nothing.
type memo struct {
	checked  map[hclsyntax.Expression]bool // whether its references are good
	constant map[hclsyntax.Expression]bool // whether it does not mention each
	values   map[hclsyntax.Expression]result
	attrs    map[*hclsyntax.Attribute]result // converted
	expects  map[*hclsyntax.Block]expectation
	halves   *halves // of the configuration; nil until the first instance
}

type result struct {
	value cty.Value
	ok    bool
}

type expectation struct {
	one check.Expectation
	ok  bool
}

func newMemo() *memo {
	return &memo{checked: map[hclsyntax.Expression]bool{}, constant: map[hclsyntax.Expression]bool{},
		values: map[hclsyntax.Expression]result{}, attrs: map[*hclsyntax.Attribute]result{},
		expects: map[*hclsyntax.Block]expectation{}}
}

// isConstant reports whether an expression has the same value in all instances.
func (m *memo) isConstant(expr hclsyntax.Expression) bool {
	if m == nil {
		return false
	}
	c, known := m.constant[expr]
	if !known {
		c = true
		for _, t := range expr.Variables() {
			c = c && t.RootName() != "each"
		}
		m.constant[expr] = c
	}
	return c
}

// constantBlock reports whether all attributes of a block are constant.
func (m *memo) constantBlock(b *hclsyntax.Block) bool {
	if m == nil {
		return false
	}
	for _, a := range b.Body.Attributes {
		if !m.isConstant(a.Expr) {
			return false
		}
	}
	return true
}
