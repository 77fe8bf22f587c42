package config

import (
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// halves are the configuration of a block with for_each, divided into what all instances have in common, which is encoded
// and decoded once, and the rest.
type halves struct {
	ok      bool
	names   []string // of all attributes and blocks, sorted
	parts   map[string][]byte
	refs    []stage.Ref
	vals    map[string]cty.Value // decoded
	rest    stage.Schema
	runners map[string]stage.Runner // by configuration, of those that are never called while planning
}

// instanceConfiguration is configuration for one instance of many.
func (l *loader) instanceConfiguration(b *block, in instance) ([]byte, []stage.Ref, stage.Runner, bool) {
	if in.ev.memo.halves == nil {
		in.ev.memo.halves = l.divide(b, in)
	}
	h := in.ev.memo.halves
	vals, ok := l.schemaValues(h.rest, b, in.ev)
	if !ok || !h.ok {
		return nil, nil, nil, false
	}
	parts, refs, err := encodeParts(vals)
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	raw := join(h.names, h.parts, parts)
	refs = append(refs, h.refs...)
	stage.SortRefs(refs)
	if runner := h.runners[string(raw)]; runner != nil {
		return raw, refs, runner, true
	}
	all, err := stage.DecodeConfig(h.rest, join(h.names, nil, parts))
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	merged := all.AsValueMap()
	if merged == nil {
		merged = map[string]cty.Value{}
	}
	maps.Copy(merged, h.vals)
	runner, err := b.info.typ.Decode(cty.ObjectVal(merged))
	if err != nil {
		l.typeError(b, in.ev, err)
		return nil, nil, nil, false
	}
	_, observes := runner.(stage.Observer)
	_, pins := runner.(stage.Pinner)
	if !observes && !pins {
		h.runners[string(raw)] = runner
	}
	return raw, refs, runner, true
}

// divide finds what all instances have in common, from one of them.
func (l *loader) divide(b *block, in instance) *halves {
	h := &halves{runners: map[string]stage.Runner{}}
	var common stage.Schema
	for _, a := range b.info.schema.Attrs {
		h.names = append(h.names, a.Name)
		if src := b.src.Body.Attributes[a.Name]; src == nil || in.ev.memo.isConstant(src.Expr) {
			common.Attrs = append(common.Attrs, a)
		} else {
			h.rest.Attrs = append(h.rest.Attrs, a)
		}
	}
	for _, nested := range b.info.schema.Blocks {
		h.names = append(h.names, nested.Name)
		constant := true
		for _, n := range b.src.Body.Blocks {
			constant = constant && (n.Type != nested.Name || in.ev.memo.constantBlock(n))
		}
		if constant {
			common.Blocks = append(common.Blocks, nested)
		} else {
			h.rest.Blocks = append(h.rest.Blocks, nested)
		}
	}
	slices.Sort(h.names)
	vals, ok := l.schemaValues(common, b, in.ev)
	if !ok {
		return h
	}
	var err error
	if h.parts, h.refs, err = encodeParts(vals); err != nil {
		l.typeError(b, in.ev, err)
		return h
	}
	decoded, err := stage.DecodeConfig(common, join(h.names, h.parts, nil))
	if err != nil {
		l.typeError(b, in.ev, err)
		return h
	}
	h.vals, h.ok = decoded.AsValueMap(), true
	return h
}

// encodeParts encodes each attribute and block on its own. One that is left out has no part.
func encodeParts(vals map[string]cty.Value) (map[string][]byte, []stage.Ref, error) {
	parts := make(map[string][]byte, len(vals))
	var refs []stage.Ref
	for _, name := range sortedKeys(vals) {
		raw, more, err := stage.Encode(cty.ObjectVal(map[string]cty.Value{name: vals[name]}))
		if err != nil {
			return nil, nil, err
		}
		refs = append(refs, more...)
		if body := raw[1 : len(raw)-1]; len(body) > 0 { // without the braces
			parts[name] = body
		}
	}
	return parts, refs, nil
}

// join puts encoded parts together in the order of their names, which is that of canonical JSON.
func join(names []string, some, others map[string][]byte) []byte {
	raw := []byte{'{'}
	for _, name := range names {
		part, ok := some[name]
		if !ok {
			part, ok = others[name]
		}
		if !ok {
			continue
		}
		if len(raw) > 1 {
			raw = append(raw, ',')
		}
		raw = append(raw, part...)
	}
	return append(raw, '}')
}
