package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/digest"
)

// Import is an import block, or one instance of it: what exists already becomes the result of the stage To, if nothing
// is recorded of it.
type Import struct {
	To    addr.Addr
	Path  string        // a file or directory, absolute or relative to the working directory; or
	ID    digest.Digest // an artifact that the store holds
	Range hcl.Range     `json:"-"`
}

// loadImports decodes the import blocks, which stand in the plan itself and in no module.
func (l *loader) loadImports() {
	taken := map[addr.Addr]Import{}
	for _, b := range l.top.imports {
		l.onlyAttrs(b, []string{"to", "path", "id", "for_each"})
		f := newFamily(addr.Addr{}, b)
		if !l.expand(&f) {
			continue
		}
		for _, in := range f.instances {
			i, ok := l.importInstance(b, in)
			if !ok {
				break
			}
			if prev, twice := taken[i.To]; twice {
				l.errorf("config.import", i.Range, "Conflicting imports", "%s is imported twice: first at %s, line %d.", i.To,
					prev.Range.Filename, prev.Range.Start.Line)
				break
			}
			taken[i.To] = i
			l.p.Imports = append(l.p.Imports, i)
		}
	}
}

func (l *loader) importInstance(b *hclsyntax.Block, in instance) (Import, bool) {
	i := Import{Range: b.DefRange()}
	to, ok := l.importTarget(b, in)
	if !ok {
		return i, false
	}
	i.To = to
	path, id := b.Body.Attributes["path"], b.Body.Attributes["id"]
	if (path == nil) == (id == nil) {
		l.errorf("config.import", b.DefRange(), "Invalid import",
			"An import block needs either path, the file or directory that is taken in, or id, an artifact that the store holds.")
		return i, false
	}
	in.ev.reach = in.ev.reach & (refStatic | refEach)
	if id != nil {
		in.ev.where = "id"
		s, ok := l.stringOf(id, in.ev)
		if !ok {
			return i, false
		}
		d, err := digest.Parse(s)
		if err != nil {
			l.errorf("config.bad_value", id.Expr.Range(), "Invalid value", "id is the digest of an artifact, sha256: and 64 hexadecimal digits, and here is %q.", s)
			return i, false
		}
		i.ID = d
		return i, true
	}
	in.ev.where = "path"
	s, ok := l.stringOf(path, in.ev)
	switch {
	case !ok:
		return i, false
	case s == "":
		l.errorf("config.bad_value", path.Expr.Range(), "Invalid value", "path must not be empty.")
		return i, false
	case !l.inside(s):
		l.outside(path, s)
		return i, false
	}
	i.Path = filepath.ToSlash(filepath.Clean(s))
	return i, true
}

// importTarget reads to, whose last instance key may be each.key.
func (l *loader) importTarget(b *hclsyntax.Block, in instance) (addr.Addr, bool) {
	src := b.Body.Attributes["to"]
	var a addr.Addr
	var ok bool
	if index, is := indexOf(src); is {
		in.ev.where = "to"
		t, _ := hcl.AbsTraversalForExpr(index.Collection)
		key, good := l.eval(index.Key, in.ev)
		key, _ = key.Unmark()
		if !good || !key.IsKnown() || key.IsNull() || key.Type() != cty.String {
			return a, false
		}
		a, ok = l.parseAddress(src, append(t[:len(t):len(t)], hcl.TraverseIndex{Key: key}))
	} else {
		a, ok = l.addressOf(b, "to")
	}
	if !ok {
		return a, false
	}
	d, known := l.declared[a]
	switch {
	case a.Kind != addr.Stage:
		l.errorf("config.import", src.Expr.Range(), "Invalid import",
			"%s cannot be imported: only the result of a stage can. An input reads what exists already, and of a publish there is no record that would let it be repeated or taken back.", a)
		return a, false
	case !known || d.disabled:
		l.errorf("config.import", src.Expr.Range(), "Import to an unknown address", "There is no block for %s.%s", a, suggestAddress(a, l.declaredNames()))
		return a, false
	case d.keyed && !d.instance:
		l.errorf("config.import", src.Expr.Range(), "Invalid import", "%s has for_each: choose one of its instances.%s", a, keyHint("", d.keys()))
		return a, false
	}
	return a, true
}

// indexOf takes apart stage.bars[each.key], which is no plain address.
func indexOf(src *hclsyntax.Attribute) (*hclsyntax.IndexExpr, bool) {
	if src == nil {
		return nil, false
	}
	index, ok := src.Expr.(*hclsyntax.IndexExpr)
	if !ok {
		return nil, false
	}
	_, diags := hcl.AbsTraversalForExpr(index.Collection)
	return index, !diags.HasErrors()
}
