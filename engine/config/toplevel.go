package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"pipe/engine/addr"
	"pipe/engine/diag"
)

// topLevel is the blocks of all plan files by type, in the order of files and lines.
type topLevel struct {
	pipe      []*hclsyntax.Block
	variables []*hclsyntax.Block
	locals    []*hclsyntax.Block
	nodes     []*hclsyntax.Block // input, stage, publish, notify
	outputs   []*hclsyntax.Block
	modules   []*hclsyntax.Block
	moved     []*hclsyntax.Block
	removed   []*hclsyntax.Block
	imports   []*hclsyntax.Block
}

func (t topLevel) any() bool {
	return len(t.pipe)+len(t.variables)+len(t.locals)+len(t.nodes)+len(t.outputs)+len(t.modules)+len(t.moved)+len(t.removed)+len(t.imports) > 0
}

// labelsOf names the labels that each type of block has.
func labelsOf(blockType string) ([]string, bool) {
	switch blockType {
	case "pipe", "locals", "moved", "removed", "import":
		return nil, true
	case "variable", "output", "module", string(addr.Input):
		return []string{"name"}, true
	case string(addr.Stage), string(addr.Publish), string(addr.Notify):
		return []string{"type", "name"}, true
	}
	return nil, false
}

func blockTypes() []string {
	return []string{"pipe", "variable", "locals", "input", "stage", "publish", "notify", "module", "output", "moved", "removed", "import"}
}

// collect sorts the blocks of one file.
func (t *topLevel) collect(l *loader, body *hclsyntax.Body) {
	for _, a := range sortedAttrs(body.Attributes) {
		l.errorf("config.unexpected_attribute", a.NameRange, "Attribute outside of a block",
			"A plan file has blocks at its top level and no attributes. Put %q into a locals block to use it as local.%s.",
			a.Name, a.Name)
	}
	for _, b := range body.Blocks {
		labels, ok := labelsOf(b.Type)
		if !ok {
			l.unknownBlock(b)
			continue
		}
		if !l.checkLabels(b, labels) {
			continue
		}
		switch b.Type {
		case "pipe":
			t.pipe = append(t.pipe, b)
		case "variable":
			t.variables = append(t.variables, b)
		case "locals":
			t.locals = append(t.locals, b)
		case "output":
			t.outputs = append(t.outputs, b)
		case "module":
			t.modules = append(t.modules, b)
		case "moved":
			t.moved = append(t.moved, b)
		case "removed":
			t.removed = append(t.removed, b)
		case "import":
			t.imports = append(t.imports, b)
		default:
			t.nodes = append(t.nodes, b)
		}
	}
}

func (l *loader) unknownBlock(b *hclsyntax.Block) {
	if b.Type == "check" {
		l.errorf("config.unsupported_block", b.TypeRange, "Block type not supported",
			"check blocks are not part of the language. Assertions on data are expect blocks in the node whose artifact they are about.")
		return
	}
	l.errorf("config.unknown_block", b.TypeRange, "Unknown block type",
		"There is no block type %q.%s A plan file has the blocks %s.",
		b.Type, diag.DidYouMean(b.Type, blockTypes()), strings.Join(blockTypes(), ", "))
}

// checkLabels reports whether b has the labels that its type wants, and whether its name can be one.
func (l *loader) checkLabels(b *hclsyntax.Block, want []string) bool {
	if len(b.Labels) != len(want) {
		l.errorf("config.labels", b.DefRange(), "Wrong labels of a block", "Write %s: %s.",
			blockShape(b.Type, want), labelCount(len(want), len(b.Labels)))
		return false
	}
	if len(want) == 0 {
		return true
	}
	if name := b.Labels[len(want)-1]; !addr.ValidName(name) {
		l.errorf("config.name", b.LabelRanges[len(want)-1], "Invalid name",
			"%q cannot be a name: a name has letters, digits, _ and -, and starts with a letter or _.", name)
		return false
	}
	return true
}

func blockShape(blockType string, labels []string) string {
	s := blockType
	for _, label := range labels {
		s += ` "` + label + `"`
	}
	return s + " { … }"
}

func labelCount(want, got int) string {
	switch want {
	case 0:
		return fmt.Sprintf("the block has no labels, and here are %d", got)
	case 1:
		return fmt.Sprintf("the block has one label, its name, and here are %d", got)
	}
	return fmt.Sprintf("the block has two labels, its type and its name, and the number of labels here is %d", got)
}

// sortedAttrs returns attributes in the order of their places, so that diagnostics have one order.
func sortedAttrs(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	list := make([]*hclsyntax.Attribute, 0, len(attrs))
	for _, a := range attrs {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].NameRange.Start.Byte < list[j].NameRange.Start.Byte })
	return list
}

// duplicate says that a second block or attribute has a name that is taken.
func (l *loader) duplicate(what string, at, first hcl.Range) {
	l.errorf("config.duplicate", at, "Duplicate name",
		"%s stands here twice: first at %s, line %d. Names are unique. Rename one of the two.",
		sentenceStart(what), first.Filename, first.Start.Line)
}

// sentenceStart raises the first letter of a phrase that is no name.
func sentenceStart(s string) string {
	if rest, ok := strings.CutPrefix(s, "the "); ok {
		return "The " + rest
	}
	return s
}
