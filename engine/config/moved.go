package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"pipe/engine/addr"
	"pipe/engine/diag"
)

func suggestAddress(a addr.Addr, names []string) string {
	if s := diag.Suggest(a.String(), names); s != "" {
		return " Did you mean " + s + "?"
	}
	return ""
}

// Move is a moved block: what was recorded at From belongs to To. Both are nodes, or both are modules.
type Move struct {
	From, To addr.Addr
	Range    hcl.Range `json:"-"`
}

// Removal is a removed block: nothing is at From any more. Without Destroy its record is forgotten and what it left
// outside stays.
type Removal struct {
	From    addr.Addr
	Destroy bool
	Range   hcl.Range `json:"-"`
}

// Of returns where a is after the move. ok is false for what the move is not about.
func (m Move) Of(a addr.Addr) (to addr.Addr, ok bool) {
	if !m.From.IsModule() {
		switch {
		case a == m.From:
			return m.To, true
		case !m.From.Keyed && !m.To.Keyed && a.Block() == m.From:
			return m.To.Instance(a.Key), true
		}
		return a, false
	}
	rest, in := strings.CutPrefix(a.Module, m.From.Module)
	instances := !strings.HasSuffix(m.From.Module, "]") && !strings.HasSuffix(m.To.Module, "]")
	if !in || rest != "" && rest[0] != '.' && !(rest[0] == '[' && instances) {
		return a, false
	}
	a.Module = m.To.Module + rest
	return a, true
}

// Moved follows the moved blocks from an address that state knows to the one of the present plan. Each block is followed
// at most once, those about single nodes before those about modules. hops is how many were followed.
func (p *Pipeline) Moved(a addr.Addr) (to addr.Addr, hops int) {
	if len(p.Moves) == 0 {
		return a, 0
	}
	used := make([]bool, len(p.Moves))
	for again := true; again; {
		again = false
		for _, modules := range []bool{false, true} {
			for i, m := range p.Moves {
				if used[i] || again || m.From.IsModule() != modules {
					continue
				}
				if to, ok := m.Of(a); ok {
					a, used[i], again = to, true, true
					hops++
				}
			}
		}
	}
	return a, hops
}

// Removed returns the removed block that is about an address, following moves.
func (p *Pipeline) Removed(a addr.Addr) (Removal, bool) {
	a, _ = p.Moved(a)
	for _, r := range p.Removals {
		if r.From.Covers(a) {
			return r, true
		}
	}
	return Removal{}, false
}

// loadMoves decodes the moved and removed blocks of a module, whose addresses are relative to it.
func (l *loader) loadMoves() {
	for _, b := range l.top.moved {
		l.onlyAttrs(b, []string{"from", "to"})
		from, ok := l.addressOf(b, "from")
		to, good := l.addressOf(b, "to")
		if !ok || !good {
			continue
		}
		switch {
		case from == to:
			l.errorf("config.moved", b.DefRange(), "Impossible move", "%s is moved to itself. Take the block away.", from)
		case from.Kind != to.Kind:
			l.errorf("config.moved", b.DefRange(), "Impossible move",
				"%s cannot become %s: what is moved keeps its kind, and a module becomes a module.", from, to)
		case from.IsModule() && strings.HasPrefix(to.Module, from.Module+"."):
			l.errorf("config.moved", b.DefRange(), "Impossible move", "%s cannot be moved into itself.", from)
		default:
			l.p.Moves = append(l.p.Moves, Move{From: from, To: to, Range: b.DefRange()})
		}
	}
	for _, b := range l.top.removed {
		l.onlyAttrs(b, []string{"from", "destroy"})
		r := Removal{Destroy: true, Range: b.DefRange()}
		from, ok := l.addressOf(b, "from")
		if a := b.Body.Attributes["destroy"]; a != nil {
			var good bool
			r.Destroy, good = l.boolOf(a, l.static("a removed block", refVar|refPipe))
			ok = ok && good
		}
		if r.From = from; ok {
			l.p.Removals = append(l.p.Removals, r)
		}
	}
}

func (l *loader) onlyAttrs(b *hclsyntax.Block, names []string) {
	for _, a := range sortedAttrs(b.Body.Attributes) {
		if !containsString(names, a.Name) {
			l.unknownAttr(a, "a "+b.Type+" block", names)
		}
	}
	for _, n := range b.Body.Blocks {
		if b.Type == "removed" && n.Type == "lifecycle" {
			l.errorf("config.unknown_block", n.TypeRange, "Unknown block type", "Write destroy = false in the removed block itself, without a lifecycle block.")
			continue
		}
		l.errorf("config.unknown_block", n.TypeRange, "Unknown block type", "A %s block has no blocks in it, and %q is one.", b.Type, n.Type)
	}
}

// addressOf reads an attribute that is an address.
func (l *loader) addressOf(b *hclsyntax.Block, name string) (addr.Addr, bool) {
	src := b.Body.Attributes[name]
	if src == nil {
		l.errorf("config.missing_attribute", b.DefRange(), "Missing attribute", "A %s block needs %s, an address such as stage.bars.", b.Type, name)
		return addr.Addr{}, false
	}
	t, diags := hcl.AbsTraversalForExpr(src.Expr)
	if diags.HasErrors() {
		l.errorf("config.address", src.Expr.Range(), "Invalid address",
			"%s takes an address without quotes, such as stage.bars, stage.bars[\"a\"], module.x or module.x.stage.bars.", name)
		return addr.Addr{}, false
	}
	return l.parseAddress(src, t)
}

func (l *loader) parseAddress(src *hclsyntax.Attribute, t hcl.Traversal) (addr.Addr, bool) {
	a, err := addr.Parse(spell(t))
	if err == nil && a.Kind == addr.Notify {
		l.errorf("config.address", src.Expr.Range(), "Invalid address", "%s is a notifier, and nothing is recorded of it.", a)
		return a, false
	}
	if err != nil {
		l.errorf("config.address", src.Expr.Range(), "Invalid address", "%s", sentence(err.Error()))
		return a, false
	}
	return a.In(l.path), true
}

// checkMoves checks moves and removals against each other and against what the plan declares. It comes last, when all
// modules are known.
func (l *loader) checkMoves() {
	if len(l.p.Moves)+len(l.p.Removals)+len(l.top.imports) == 0 {
		return
	}
	l.declared = map[addr.Addr]declaration{}
	l.declare(l.declared)
	from, to := map[addr.Addr]Move{}, map[addr.Addr]Move{}
	inCycle := map[Move]bool{}
	for _, m := range l.p.Moves {
		if prev, taken := from[m.From]; taken {
			l.errorf("config.moved", m.Range, "Conflicting moves", "%s is moved twice: to %s (%s, line %d), and here to %s. One thing can be at one place.",
				m.From, prev.To, prev.Range.Filename, prev.Range.Start.Line, m.To)
			continue
		}
		from[m.From] = m
		if prev, taken := to[m.To]; taken {
			l.errorf("config.moved", m.Range, "Conflicting moves", "Both %s (%s, line %d) and %s are moved to %s. Only one can be there.",
				prev.From, prev.Range.Filename, prev.Range.Start.Line, m.From, m.To)
			continue
		}
		to[m.To] = m
		switch at := l.stillThere(m.From, m.To); {
		case l.moveCycle(m, inCycle):
		case at != "":
			l.errorf("config.moved", m.Range, "Moved node still exists",
				"%s is moved to %s, but its block is still there (%s). Take that block away, or this one.", m.From, m.To, at)
		case !l.leadsSomewhere(m.To):
			l.errorf("config.moved", m.Range, "Move to an unknown address", "There is no block for %s.%s", m.To,
				suggestAddress(m.To, l.declaredNames()))
		}
	}
	seen := map[addr.Addr]bool{}
	for _, r := range l.p.Removals {
		at := l.stillThere(r.From, addr.Addr{})
		switch m, moved := from[r.From]; {
		case seen[r.From]:
			l.errorf("config.removed", r.Range, "Duplicate name", "There are two removed blocks for %s. Take one away.", r.From)
		case moved:
			l.errorf("config.removed", r.Range, "Conflicting moves", "%s is moved to %s (%s, line %d), so it cannot be removed as well.",
				r.From, m.To, m.Range.Filename, m.Range.Start.Line)
		case at != "":
			l.errorf("config.removed", r.Range, "Removed node still exists",
				"%s is said to be removed, but its block is still there (%s). Take that block away, or this one.", r.From, at)
		}
		seen[r.From] = true
	}
}

// stillThere says where the block of a moved or removed address stands, "" if it is gone. A block that got its for_each by
// the move to an instance, or lost it, is gone.
func (l *loader) stillThere(from, to addr.Addr) string {
	d, ok := l.declared[from]
	if !ok {
		return ""
	}
	if d.keyed && !d.instance && (to.Keyed || strings.HasSuffix(to.Module, "]") && to.IsModule()) {
		return ""
	}
	return d.place()
}

// moveCycle reports moves that lead back to where they began, each cycle once.
func (l *loader) moveCycle(m Move, reported map[Move]bool) bool {
	if reported[m] {
		return true
	}
	path := []string{m.From.String(), m.To.String()}
	used := map[Move]bool{m: true}
	for at, again := m.To, true; again; {
		again = false
		for _, next := range l.p.Moves {
			to, ok := next.Of(at)
			if ok && next == m {
				for other := range used {
					reported[other] = true
				}
				l.errorf("config.moved", m.Range, "Moves in a cycle", "%s: a chain of moves must end somewhere. Take one of these blocks away.", strings.Join(path, " -> "))
				return true
			}
			if ok && !used[next] {
				at, used[next], again = to, true, true
				path = append(path, at.String())
				break
			}
		}
	}
	return false
}

// leadsSomewhere reports whether the plan declares the block of an address, with any instances, or a removed block says
// what became of it.
func (l *loader) leadsSomewhere(a addr.Addr) bool {
	a, _ = l.p.Moved(a)
	if _, removed := l.p.Removed(a); removed {
		return true
	}
	if _, ok := l.declared[a]; ok {
		return true
	}
	if _, ok := l.declared[a.Block()]; ok && !a.IsModule() {
		return true
	}
	for at, d := range l.declared { // in an instance of a module that is not there now
		if at.IsModule() && d.keyed && !d.instance && strings.HasPrefix(a.Module, at.Module+"[") && !d.covers(a) {
			return true
		}
	}
	return false
}

// declaration is a block that the plan declares, or one instance of it under for_each.
type declaration struct {
	*family
	instance bool
}

func (d declaration) place() string {
	return fmt.Sprintf("%s, line %d", d.at.Filename, d.at.Start.Line)
}

// covers reports whether a is in one of the instances.
func (d declaration) covers(a addr.Addr) bool {
	for _, in := range d.instances {
		if in.addr.Covers(a) {
			return true
		}
	}
	return false
}

// declare files the blocks of the module and of those in it with their instances, for the blocks that are about addresses.
func (l *loader) declare(into map[addr.Addr]declaration) {
	file := func(f *family) {
		into[f.addr] = declaration{family: f}
		for _, in := range f.instances {
			if f.keyed {
				into[in.addr] = declaration{family: f, instance: true}
			}
		}
	}
	for _, b := range l.blocks {
		file(&b.family)
	}
	for _, c := range l.calls {
		file(&c.family)
		for _, child := range c.children {
			child.declare(into)
		}
	}
}

func (l *loader) declaredNames() []string {
	names := make(map[string]bool, len(l.declared))
	for a := range l.declared {
		names[a.String()] = true
	}
	return sortedKeys(names)
}
