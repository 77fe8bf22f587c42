package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/diag"
	"pipe/engine/stage"
)

// target is who puts a file at a place.
type target struct {
	addr addr.Addr
	line int
}

// options decodes the meta-arguments that never enter a fingerprint.
func (l *loader) options(b *block, in instance, n *Node) bool {
	before := len(l.diags)
	o := &n.Options
	o.Retry.Attempts = 1
	attrs := b.src.Body.Attributes
	at := func(name string) (*hclsyntax.Attribute, evaluation) {
		ev := in.ev
		ev.where = name
		if attrs[name] == nil || schemaHas(b, name) {
			return nil, ev
		}
		return attrs[name], ev
	}
	if a, ev := at("description"); a != nil {
		o.Description, _ = l.stringOf(a, ev)
	}
	if a, ev := at("timeout"); a != nil {
		o.Timeout = l.duration(a, ev)
	}
	if a, ev := at("prevent_destroy"); a != nil {
		o.PreventDestroy, _ = l.boolOf(a, ev)
	}
	if a, ev := at("labels"); a != nil {
		if v, ok := l.plain(a, cty.Map(cty.String), ev); ok {
			o.Labels = map[string]string{}
			for k, x := range v.AsValueMap() {
				if !x.IsNull() {
					o.Labels[k] = x.AsString()
				}
			}
		}
	}
	if a, ev := at("to"); a != nil {
		l.to(a, ev, n)
	}
	l.retry(b, in, n)
	return len(l.diags) == before
}

func schemaHas(b *block, name string) bool { _, ok := b.info.schema.Attr(name); return ok }

func (l *loader) to(a *hclsyntax.Attribute, ev evaluation, n *Node) {
	s, ok := l.stringOf(a, ev)
	if !ok {
		return
	}
	switch {
	case s == "":
		l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "to must not be empty: give a path, or take the line away.")
		return
	case !l.inside(s):
		l.outside(a, s)
		return
	}
	key := filepath.Clean(s)
	if first, taken := l.targets[key]; taken {
		l.errorf("config.duplicate_target", a.Expr.Range(), "Two nodes at one place",
			"%s and %s (line %d) both put their files at %s. Give each a place of its own, for example with each.key in it.", n.Addr, first.addr, first.line, s)
		return
	}
	l.targets[key] = target{n.Addr, a.SrcRange.Start.Line}
	n.Options.To = s
}

func (l *loader) duration(a *hclsyntax.Attribute, ev evaluation) Duration {
	s, ok := l.stringOf(a, ev)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		l.errorf("config.bad_value", a.Expr.Range(), "Invalid value", "%s must be a duration such as \"2s\", \"10m\" or \"1h30m\", and is %q.", a.Name, s)
		return 0
	}
	return Duration(d)
}

func (l *loader) retry(b *block, in instance, n *Node) {
	var first *hclsyntax.Block
	for _, r := range b.src.Body.Blocks {
		if r.Type != "retry" {
			continue
		}
		if first != nil {
			l.duplicate("the block retry", r.DefRange(), first.DefRange())
			continue
		}
		first = r
		l.noLabels(r)
		l.noBlocks(r)
		n.Options.Retry = Retry{Attempts: 3, Backoff: Duration(time.Second)}
		for _, a := range sortedAttrs(r.Body.Attributes) {
			ev := in.ev
			ev.where = a.Name
			switch a.Name {
			case "attempts":
				if i, ok := l.wholeOf(a, ev, 1, 100); ok {
					n.Options.Retry.Attempts = i
				}
			case "backoff":
				n.Options.Retry.Backoff = l.duration(a, ev)
			case "max_backoff":
				n.Options.Retry.MaxBackoff = l.duration(a, ev)
			default:
				l.unknownAttr(a, "a retry block", []string{"attempts", "backoff", "max_backoff"})
			}
		}
	}
}

// dependsOn decodes edges without data.
func (l *loader) dependsOn(b *block, in instance, n *Node) bool {
	n.DependsOn = l.after
	a := b.src.Body.Attributes["depends_on"]
	if a == nil {
		return true
	}
	ev := in.ev
	ev.where = "depends_on"
	own, ok := l.references(a, ev)
	n.DependsOn = uniqueAddrs(append(own, l.after...))
	return ok
}

// nodesIn returns the nodes that a part of depends_on refers to; the whole of it must be a list.
func (l *loader) nodesIn(a *hclsyntax.Attribute, expr hclsyntax.Expression, whole bool, ev evaluation) ([]addr.Addr, bool) {
	v, ok := l.eval(expr, ev)
	if !ok || !v.IsWhollyKnown() {
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	if whole && (!v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType()) {
		l.errorf("config.bad_type", a.Expr.Range(), "Wrong type of a value", "depends_on takes a list of references, such as [stage.NAME].")
		return nil, false
	}
	var list []addr.Addr
	good := true
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		switch ty := x.Type(); {
		case ty.Equals(stage.HandleType) && !x.IsNull():
			list = append(list, l.addresses[x.EncapsulatedValue().(*stage.Handle).Address])
			return false, nil
		case ty.IsPrimitiveType() && good:
			l.errorf("config.bad_type", a.Expr.Range(), "Wrong type of a value", "depends_on takes references, such as stage.NAME without quotes, and here is a %s.", ty.FriendlyName())
			good = false
		}
		return true, nil
	})
	return list, good
}

func uniqueAddrs(list []addr.Addr) []addr.Addr {
	sortAddrs(list)
	return slices.Compact(list)
}

func sortAddrs(list []addr.Addr) {
	slices.SortFunc(list, addr.Addr.Compare)
}

// expectations decodes expect_file and the expect blocks, in this order.
func (l *loader) expectations(b *block, in instance, n *Node) bool {
	ok := l.expectFiles(b, in, n)
	for _, e := range b.src.Body.Blocks {
		if e.Type != "expect" {
			continue
		}
		one, good := l.expect(e, in.ev)
		if !good {
			ok = false
			continue
		}
		n.Expectations = append(n.Expectations, one)
	}
	if ok && n.Addr.Kind == addr.Publish {
		for _, e := range n.Expectations {
			if e.Type != "metric_to_be_between" {
				l.errorf("config.expectation", b.at, "Expectation not possible here",
					"%s has the expectation %s, and a publish is gated by metrics alone: use metric_to_be_between, or put it into the stage that makes the table.", n.Addr, e.Type)
				return false
			}
		}
	}
	return ok
}

func (l *loader) expectFiles(b *block, in instance, n *Node) bool {
	a := b.src.Body.Attributes["expect_file"]
	if a == nil {
		return true
	}
	ev := in.ev
	ev.where = "expect_file"
	v, ok := l.eval(a.Expr, ev)
	if !ok || !v.IsWhollyKnown() {
		return false
	}
	v, _ = v.UnmarkDeep()
	var files []string
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.Type() == cty.String && !x.IsNull() {
			files = append(files, x.AsString())
		}
		return true, nil
	})
	if len(files) == 0 && !v.IsNull() {
		l.errorf("config.bad_type", a.Expr.Range(), "Wrong type of a value", "expect_file takes the path of a suite, or a list of paths.")
		return false
	}
	for _, f := range files {
		if !l.inside(f) {
			l.outside(a, f)
			return false
		}
		s := l.suite(f)
		if s.err != nil {
			l.errorf("config.suite", a.Expr.Range(), "Invalid suite of expectations", "%s", sentence(s.err.Error()))
			return false
		}
		n.Expectations = append(n.Expectations, s.list...)
	}
	return true
}

// suite reads a suite file, once.
func (l *loader) suite(path string) suite {
	if s, ok := l.suites[path]; ok {
		return s
	}
	var s suite
	abs, err := l.confine(path)
	if err == nil {
		_, _ = l.reads.file(abs) // before it is parsed: a later change is then seen
		s.list, err = check.ReadSuite(abs, path)
	}
	s.err = err
	l.suites[path] = s
	return s
}

// expect decodes one expect block.
func (l *loader) expect(e *hclsyntax.Block, ev evaluation) (check.Expectation, bool) {
	if !ev.memo.constantBlock(e) {
		return l.expectOnce(e, ev)
	}
	r, known := ev.memo.expects[e]
	if !known {
		r.one, r.ok = l.expectOnce(e, ev)
		ev.memo.expects[e] = r
	}
	return r.one, r.ok
}

func (l *loader) expectOnce(e *hclsyntax.Block, ev evaluation) (check.Expectation, bool) {
	if len(e.Labels) != 1 {
		l.errorf("config.labels", e.DefRange(), "Wrong labels of a block", `Write expect "NAME" { … }: %s.`, labelCount(1, len(e.Labels)))
		return check.Expectation{}, false
	}
	d, known := check.Lookup(e.Labels[0])
	if !known {
		l.errorf("config.unknown_expectation", e.LabelRanges[0], "Unknown expectation", "There is no expectation %q.%s",
			e.Labels[0], diag.DidYouMean(e.Labels[0], check.Names()))
		return check.Expectation{}, false
	}
	var names []string
	for _, a := range d.Schema.Attrs {
		names = append(names, a.Name)
	}
	ok := true
	for _, a := range sortedAttrs(e.Body.Attributes) {
		if !containsString(names, a.Name) {
			l.unknownAttr(a, fmt.Sprintf("expect %q", d.Name), names)
			ok = false
		}
	}
	l.noBlocks(e)
	vals, good := l.attributes(d.Schema.Attrs, e.Body, e.DefRange(), ev, fmt.Sprintf(" in expect %q", d.Name))
	if !ok || !good {
		return check.Expectation{}, false
	}
	one, err := check.DecodeExpectation(d.Name, cty.ObjectVal(vals))
	if err != nil {
		at := e.DefRange()
		var attr *stage.AttrError
		if errors.As(err, &attr) && len(attr.Path) > 0 {
			if s, is := attr.Path[0].(cty.GetAttrStep); is && e.Body.Attributes[s.Name] != nil {
				at = e.Body.Attributes[s.Name].Expr.Range()
			}
		}
		l.errorf("config.expectation", at, "Expectation that can't hold", "%s", sentence(err.Error()))
		return check.Expectation{}, false
	}
	one.Source = fmt.Sprintf("%s:%d", e.TypeRange.Filename, e.TypeRange.Start.Line)
	return one, true
}
