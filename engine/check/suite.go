package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"pipe/engine/diag"
)

// SuiteError is a mistake in a suite file, with its place. Column is 0 where only the line is known.
type SuiteError struct {
	File         string
	Line, Column int
	Err          error
}

func (e *SuiteError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
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
// In the short form, max_missing_rate holds for every required column and every column with a range. A suite without a
// single expectation is refused, because it would let everything pass.
func ParseSuite(name string, data []byte) ([]Expectation, error) {
	root, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	s := &suite{file: name}
	if err := s.read(root); err != nil {
		return nil, err
	}
	if len(s.list) == 0 {
		return nil, s.fail(root, "the suite holds no expectation, so everything would pass: add one, or leave the file out")
	}
	return s.list, nil
}

// parse returns the one document of a YAML or JSON file.
func parse(name string, data []byte) (*yaml.Node, error) {
	if json.Valid(data) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // a tab is white space in JSON and a mistake in YAML
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0):
		return nil, fmt.Errorf("%s is empty: it must hold a suite of expectations", name)
	case err != nil:
		return nil, syntaxError(name, err)
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return nil, &SuiteError{File: name, Line: next.Line, Column: next.Column, Err: errors.New("a second document begins here: a suite is one document")}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(name, err)
	}
	return doc.Content[0], nil
}

// syntaxError gives an error of the YAML parser the form of all others.
func syntaxError(name string, err error) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			text, line = strings.TrimPrefix(text, m[0]), n
		}
	}
	return &SuiteError{File: name, Line: line, Err: errors.New(text)}
}

// suite is a suite file being read.
type suite struct {
	file string
	list []Expectation
	short
}

func (s *suite) fail(n *yaml.Node, format string, args ...any) error {
	return &SuiteError{File: s.file, Line: n.Line, Column: n.Column, Err: fmt.Errorf(format, args...)}
}

// foreign are settings of other tools' suites that change nothing.
func foreign() []string {
	return []string{"meta", "expectation_suite_name", "id", "notes", "data_asset_type", "ge_cloud_id", "data_context_id",
		"evaluation_parameters", "suite_parameters"}
}

func (s *suite) read(root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return s.fail(root, "a suite is a map of settings, such as min_rows: 3")
	}
	known := []string{"name", "description", "required_columns", "min_rows", "max_rows", "max_missing_rate", "column_ranges", "expectations"}
	pairs, err := s.pairs(root)
	if err != nil {
		return err
	}
	var list *yaml.Node
	for _, p := range pairs {
		switch p.key.Value {
		case "name", "description":
		case "required_columns":
			s.required = p.value
		case "column_ranges":
			s.ranges = p.value
		case "max_missing_rate":
			s.missing = p.value
		case "min_rows":
			s.minRows = p.value
		case "max_rows":
			s.maxRows = p.value
		case "expectations":
			list = p.value
		default:
			if !contains(foreign(), p.key.Value) {
				return s.fail(p.key, "a suite has no setting %q.%s", p.key.Value, diag.DidYouMean(p.key.Value, known))
			}
		}
	}
	if err := s.expand(); err != nil || list == nil {
		return err
	}
	return s.long(list)
}

func contains(list []string, x string) bool {
	for _, l := range list {
		if l == x {
			return true
		}
	}
	return false
}

// pair is a key of a map in the file, and its value.
type pair struct{ key, value *yaml.Node }

// pairs lists the keys of a map in their order. A key that stands there twice is a mistake: the reader would see the one
// and the program use the other.
func (s *suite) pairs(m *yaml.Node) ([]pair, error) {
	var list []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		p := pair{m.Content[i], target(m.Content[i+1])}
		if p.key.Kind != yaml.ScalarNode || p.key.ShortTag() == "!!merge" {
			return nil, s.fail(p.key, "a key must be a plain name")
		}
		if seen[p.key.Value] {
			return nil, s.fail(p.key, "%s stands here twice", p.key.Value)
		}
		seen[p.key.Value] = true
		list = append(list, p)
	}
	return list, nil
}

// target follows an alias to what it stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
