package check

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"go.yaml.in/yaml/v3"

	"pipe/engine/diag"
	"pipe/engine/stage"
)

// long reads a list of expectations.
func (s *suite) long(list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return s.fail(list, "expectations must be a list")
	}
	for _, item := range list.Content {
		if err := s.item(target(item)); err != nil {
			return err
		}
	}
	return nil
}

// item reads one expectation of the list.
func (s *suite) item(item *yaml.Node) error {
	if item.Kind != yaml.MappingNode {
		return s.fail(item, "an expectation is a map with type and kwargs")
	}
	pairs, err := s.pairs(item)
	if err != nil {
		return err
	}
	var typ, severity, kwargs *yaml.Node
	known := []string{"type", "expectation_type", "kwargs", "severity", "id", "meta", "notes", "description", "rendered_content",
		"expectation_context", "ge_cloud_id", "success_on_last_run"}
	for _, p := range pairs {
		switch p.key.Value {
		case "type", "expectation_type":
			typ = p.value
		case "severity":
			severity = p.value
		case "kwargs":
			kwargs = p.value
		default:
			if !contains(known, p.key.Value) {
				return s.fail(p.key, "an expectation has no setting %q: its arguments stand below kwargs.%s", p.key.Value, diag.DidYouMean(p.key.Value, known[:4]))
			}
		}
	}
	if typ == nil || typ.Value == "" {
		return s.fail(item, "the expectation has no type")
	}
	args, err := s.kwargs(kwargs)
	if err != nil {
		return err
	}
	level, err := s.severity(severity)
	if err != nil {
		return err
	}
	return s.add(typ, typ.Value, args, level)
}

// severity reads a severity; other tools write warning for warn.
func (s *suite) severity(n *yaml.Node) (Severity, error) {
	if n == nil || n.ShortTag() == "!!null" {
		return Error, nil
	}
	levels := []string{string(Info), string(Warn), string(Error), string(Critical)}
	switch {
	case n.Value == "warning":
		return Warn, nil
	case contains(levels, n.Value):
		return Severity(n.Value), nil
	}
	return "", s.fail(n, "%q is no severity: use one of %s", n.Value, strings.Join(levels, ", "))
}

// kwargs reads the arguments of an expectation. What other tools write there and what changes no outcome is left out;
// what would change it is refused.
func (s *suite) kwargs(m *yaml.Node) (map[string]any, error) {
	args := map[string]any{}
	if m == nil || m.ShortTag() == "!!null" {
		return args, nil
	}
	if m.Kind != yaml.MappingNode {
		return nil, s.fail(m, "kwargs must be a map of arguments, such as {column: close}")
	}
	pairs, err := s.pairs(m)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		v := p.value.Value
		null := p.value.ShortTag() == "!!null"
		switch p.key.Value {
		case "result_format", "catch_exceptions", "include_config", "batch_id", "condition_parser", "auto", "profiler_config", "meta":
		case "row_condition":
			if !null {
				return nil, s.fail(p.key, "row_condition is not supported, and without it the expectation would mean another thing: filter the rows in a stage and check its table")
			}
		case "ignore_row_if":
			if !null && v != "both_values_are_missing" && v != "all_values_are_missing" {
				return nil, s.fail(p.value, "ignore_row_if = %q is not supported: rows are left out where all values are missing", v)
			}
		case "allow_cross_type_comparisons", "parse_strings_as_datetimes":
			if !null && v != "false" {
				return nil, s.fail(p.key, "%s is not supported: values are compared as what the column holds", p.key.Value)
			}
		default:
			args[p.key.Value] = p.value
		}
	}
	return args, nil
}

// add checks one expectation and files it. The values of args are YAML nodes or cty values.
func (s *suite) add(at *yaml.Node, name string, args map[string]any, severity Severity) error {
	d, ok := Lookup(name)
	if !ok {
		return s.fail(at, "there is no expectation %q.%s", name, diag.DidYouMean(strings.TrimPrefix(name, "expect_"), Names()))
	}
	if severity != "" {
		args["severity"] = cty.StringVal(string(severity))
	}
	v, err := s.object(at, d, args)
	if err != nil {
		return err
	}
	e, err := DecodeExpectation(name, v)
	if err != nil {
		return s.fail(place(at, args, err), "%w", err)
	}
	e.Source = fmt.Sprintf("%s:%d", s.file, at.Line)
	s.list = append(s.list, e)
	return nil
}

// place is where the argument stands that an error is about.
func place(at *yaml.Node, args map[string]any, err error) *yaml.Node {
	var attr *stage.AttrError
	if !errors.As(err, &attr) || len(attr.Path) == 0 {
		return at
	}
	step, ok := attr.Path[0].(cty.GetAttrStep)
	if !ok {
		return at
	}
	if n, ok := args[step.Name].(*yaml.Node); ok {
		return n
	}
	return at
}

// object makes the value that the expectation's schema describes.
func (s *suite) object(at *yaml.Node, d Def, args map[string]any) (cty.Value, error) {
	names := make([]string, 0, len(args))
	for n := range args {
		names = append(names, n)
	}
	sort.Strings(names)
	vals := map[string]cty.Value{}
	for _, n := range names {
		where := at
		if node, is := args[n].(*yaml.Node); is {
			where = node
		}
		a, ok := d.Schema.Attr(n)
		if !ok {
			return cty.NilVal, s.fail(where, "%s has no argument %q: it has %s.%s", d.Name, n, strings.Join(attrNames(d), ", "), diag.DidYouMean(n, attrNames(d)))
		}
		v, err := valueOf(args[n])
		if err == nil && a.Type != cty.DynamicPseudoType {
			v, err = convert.Convert(v, a.Type)
		}
		if err != nil {
			return cty.NilVal, s.fail(where, "%s: %v", n, err)
		}
		vals[n] = v
	}
	for _, a := range d.Schema.Attrs {
		v, given := vals[a.Name]
		switch {
		case given && !v.IsNull():
		case a.Required:
			return cty.NilVal, s.fail(at, "%s needs the argument %q", d.Name, a.Name)
		case a.Default != cty.NilVal:
			vals[a.Name] = a.Default
		default:
			vals[a.Name] = cty.NullVal(a.Type)
		}
	}
	return cty.ObjectVal(vals), nil
}

// attrNames lists the arguments of an expectation but for its severity, which stands beside them.
func attrNames(d Def) []string {
	var names []string
	for _, a := range d.Schema.Attrs {
		if a.Name != "severity" {
			names = append(names, a.Name)
		}
	}
	return names
}

func valueOf(x any) (cty.Value, error) {
	if n, ok := x.(*yaml.Node); ok {
		return fromNode(n)
	}
	return x.(cty.Value), nil
}

// fromNode turns a scalar, or a list of scalars, into a value.
func fromNode(n *yaml.Node) (cty.Value, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return scalar(n)
	case yaml.SequenceNode:
		vals := make([]cty.Value, 0, len(n.Content))
		for _, c := range n.Content {
			c = target(c)
			if c.Kind != yaml.ScalarNode {
				return cty.NilVal, errors.New("a list may hold numbers, texts and true or false")
			}
			v, err := scalar(c)
			if err != nil {
				return cty.NilVal, err
			}
			vals = append(vals, v)
		}
		return cty.TupleVal(vals), nil
	case yaml.MappingNode:
		if len(n.Content) > 0 && n.Content[0].Value == "$PARAMETER" {
			return cty.NilVal, errors.New("parameters of a suite are not supported: write the value, or use an expect block, whose values are expressions")
		}
	}
	return cty.NilVal, errors.New("a value must be a number, a text, true or false, or a list of them")
}

func scalar(n *yaml.Node) (cty.Value, error) {
	switch n.ShortTag() {
	case "!!int", "!!float":
		var i int64
		if n.Decode(&i) == nil && n.ShortTag() == "!!int" {
			return cty.NumberIntVal(i), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return cty.NilVal, fmt.Errorf("%s is not a finite number", n.Value)
		}
		if v, err := cty.ParseNumberVal(strings.ReplaceAll(n.Value, "_", "")); err == nil {
			return v, nil
		}
		return cty.NumberFloatVal(f), nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return cty.BoolVal(b), err
	case "!!null":
		return cty.NullVal(cty.DynamicPseudoType), nil
	}
	return cty.StringVal(n.Value), nil
}
