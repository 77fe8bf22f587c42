package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"go.yaml.in/yaml/v3"

	"pipe/engine/diag"
	"pipe/engine/stage"
)

// SuiteError is a mistake in a suite file, with its place.
type SuiteError struct {
	File         string
	Line, Column int
	Err          error
}

func (e *SuiteError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}
func (e *SuiteError) Unwrap() error { return e.Err }

// ReadSuite reads a suite file; see ParseSuite. Name is how messages call the file.
func ReadSuite(path, name string) ([]Expectation, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("the suite %s can't be read: %w", name, pe.Err)
		}
		return nil, err
	}
	return ParseSuite(name, data)
}

// ParseSuite reads a suite of expectations, as YAML or JSON, in one of two forms. The short form has required_columns,
// min_rows, max_rows, max_missing_rate and column_ranges. The long form has expectations: a list of type (or
// expectation_type), kwargs and severity, as other tools write them. Both forms may stand in one file.
//
// In the short form, max_missing_rate holds for every required column and every column with a range.
func ParseSuite(name string, data []byte) ([]Expectation, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s is empty: it must hold a suite of expectations", name)
	}
	s := &suite{file: name, rates: map[string]bool{}}
	if err := s.read(doc.Content[0]); err != nil {
		return nil, err
	}
	return s.list, nil
}

// suite is a suite file being read.
type suite struct {
	file     string
	list     []Expectation
	required *yaml.Node
	ranges   *yaml.Node
	missing  *yaml.Node
	rates    map[string]bool
}

func (s *suite) fail(n *yaml.Node, format string, args ...any) error {
	return &SuiteError{File: s.file, Line: n.Line, Column: n.Column, Err: fmt.Errorf(format, args...)}
}

func (s *suite) read(root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return s.fail(root, "a suite is a map of settings, such as min_rows: 3")
	}
	known := []string{"name", "description", "required_columns", "min_rows", "max_rows", "max_missing_rate", "column_ranges",
		"expectations", "meta", "expectation_suite_name", "id", "notes", "data_asset_type", "ge_cloud_id"}
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if seen[key.Value] {
			return s.fail(key, "%s stands here twice", key.Value)
		}
		seen[key.Value] = true
		if err := s.setting(key, value, known); err != nil {
			return err
		}
	}
	return s.short()
}

func (s *suite) setting(key, value *yaml.Node, known []string) error {
	switch key.Value {
	case "required_columns":
		s.required = value
	case "column_ranges":
		s.ranges = value
	case "max_missing_rate":
		s.missing = value
	case "min_rows":
		return s.add(value, "table_row_count_to_be_between", map[string]any{"min_value": value}, "")
	case "max_rows":
		return s.add(value, "table_row_count_to_be_between", map[string]any{"max_value": value}, "")
	case "expectations":
		return s.long(value)
	default:
		for _, k := range known {
			if k == key.Value {
				return nil
			}
		}
		return s.fail(key, "a suite has no setting %q.%s", key.Value, diag.DidYouMean(key.Value, known))
	}
	return nil
}

// short expands the settings that depend on each other.
func (s *suite) short() error {
	var columns []*yaml.Node
	if s.required != nil {
		if s.required.Kind != yaml.SequenceNode {
			return s.fail(s.required, "required_columns must be a list of columns")
		}
		for _, c := range s.required.Content {
			if err := s.add(c, "column_to_exist", map[string]any{"column": c}, ""); err != nil {
				return err
			}
		}
		columns = append(columns, s.required.Content...)
	}
	if s.ranges != nil {
		if s.ranges.Kind != yaml.MappingNode {
			return s.fail(s.ranges, "column_ranges must be a map from a column to [least, greatest]")
		}
		for i := 0; i+1 < len(s.ranges.Content); i += 2 {
			c, r := s.ranges.Content[i], s.ranges.Content[i+1]
			if r.Kind != yaml.SequenceNode || len(r.Content) != 2 {
				return s.fail(r, "the range of %s must be [least, greatest]", c.Value)
			}
			args := map[string]any{"column": c, "min_value": r.Content[0], "max_value": r.Content[1]}
			if err := s.add(c, "column_values_to_be_between", args, ""); err != nil {
				return err
			}
			columns = append(columns, c)
		}
	}
	return s.missingRates(columns)
}

func (s *suite) missingRates(columns []*yaml.Node) error {
	if s.missing == nil {
		return nil
	}
	var rate float64
	if err := s.missing.Decode(&rate); err != nil || rate < 0 || rate > 1 {
		return s.fail(s.missing, "max_missing_rate is a share and must lie between 0 and 1, not be %q", s.missing.Value)
	}
	for _, c := range columns {
		if s.rates[c.Value] {
			continue
		}
		s.rates[c.Value] = true
		args := map[string]any{"column": c}
		if rate > 0 {
			args["mostly"] = 1 - rate
		}
		if err := s.add(c, "column_values_to_not_be_null", args, ""); err != nil {
			return err
		}
	}
	return nil
}

// long reads a list of expectations.
func (s *suite) long(list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return s.fail(list, "expectations must be a list")
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			return s.fail(item, "an expectation is a map with type and kwargs")
		}
		var typ, severity string
		place := item
		args := map[string]any{}
		for i := 0; i+1 < len(item.Content); i += 2 {
			key, value := item.Content[i], item.Content[i+1]
			switch key.Value {
			case "type", "expectation_type":
				typ, place = value.Value, value
			case "severity":
				severity = value.Value
			case "kwargs":
				for j := 0; value.Kind == yaml.MappingNode && j+1 < len(value.Content); j += 2 {
					args[value.Content[j].Value] = value.Content[j+1]
				}
			case "id", "meta", "notes", "description", "rendered_content":
			default:
				return s.fail(key, "an expectation has no setting %q: its arguments stand below kwargs", key.Value)
			}
		}
		if typ == "" {
			return s.fail(item, "the expectation has no type")
		}
		if err := s.add(place, typ, args, severity); err != nil {
			return err
		}
	}
	return nil
}

// add checks one expectation and files it. The values of args are YAML nodes or plain values.
func (s *suite) add(at *yaml.Node, name string, args map[string]any, severity string) error {
	d, ok := Lookup(name)
	if !ok {
		return s.fail(at, "there is no expectation %q.%s", name, diag.DidYouMean(name, Names()))
	}
	if severity != "" {
		args["severity"] = strings.NewReplacer("warning", "warn").Replace(severity)
	}
	v, err := s.object(at, d, args)
	if err != nil {
		return err
	}
	e, err := DecodeExpectation(name, v)
	if err != nil {
		where := at
		var attr *stage.AttrError
		if errors.As(err, &attr) && len(attr.Path) > 0 {
			if step, ok := attr.Path[0].(cty.GetAttrStep); ok {
				if n, ok := args[step.Name].(*yaml.Node); ok {
					where = n
				}
			}
		}
		return s.fail(where, "%w", err)
	}
	e.Source = fmt.Sprintf("%s:%d", s.file, at.Line)
	s.list = append(s.list, e)
	return nil
}

// object makes the value that the expectation's schema describes.
func (s *suite) object(at *yaml.Node, d Def, args map[string]any) (cty.Value, error) {
	names := make([]string, 0, len(args))
	for n := range args {
		names = append(names, n)
	}
	sort.Strings(names)
	vals := map[string]cty.Value{}
	for _, a := range d.Schema.Attrs {
		vals[a.Name] = cty.NullVal(a.Type)
		if a.Default != cty.NilVal {
			vals[a.Name] = a.Default
		}
	}
	for _, n := range names {
		a, ok := d.Schema.Attr(n)
		where := at
		if node, is := args[n].(*yaml.Node); is {
			where = node
		}
		if !ok {
			return cty.NilVal, s.fail(where, "%s has no argument %q.%s", d.Name, n, diag.DidYouMean(n, attrNames(d)))
		}
		v, err := plain(args[n])
		if err == nil && a.Type != cty.DynamicPseudoType {
			v, err = convert.Convert(v, a.Type)
		}
		if err != nil {
			return cty.NilVal, s.fail(where, "%s: %v", n, err)
		}
		vals[n] = v
	}
	for _, a := range d.Schema.Attrs {
		if a.Required && vals[a.Name].IsNull() {
			return cty.NilVal, s.fail(at, "%s needs the argument %q", d.Name, a.Name)
		}
	}
	return cty.ObjectVal(vals), nil
}

func attrNames(d Def) []string {
	var names []string
	for _, a := range d.Schema.Attrs {
		names = append(names, a.Name)
	}
	return names
}

// plain turns a YAML node or a plain value into a cty value.
func plain(x any) (cty.Value, error) {
	switch x := x.(type) {
	case string:
		return cty.StringVal(x), nil
	case float64:
		return cty.NumberFloatVal(x), nil
	case *yaml.Node:
		return fromNode(x)
	}
	b, err := json.Marshal(x)
	return cty.StringVal(string(b)), err
}

func fromNode(n *yaml.Node) (cty.Value, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		vals := []cty.Value{}
		for _, c := range n.Content {
			v, err := fromNode(c)
			if err != nil {
				return cty.NilVal, err
			}
			vals = append(vals, v)
		}
		return cty.TupleVal(vals), nil
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!int", "!!float":
			if v, err := cty.ParseNumberVal(strings.ReplaceAll(n.Value, "_", "")); err == nil {
				return v, nil
			}
			var f float64
			if err := n.Decode(&f); err != nil || f != f || f-f != 0 {
				return cty.NilVal, fmt.Errorf("%s is not a finite number", n.Value)
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
	return cty.NilVal, fmt.Errorf("a value must be a number, a text, true or false, or a list of them")
}
