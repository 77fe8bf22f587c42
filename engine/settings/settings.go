package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"pipe/engine/config"
)

// Settings reads the topics of one working directory and environment.
type Settings struct {
	workDir, env string
}

// New returns the settings; nothing is read before it is asked for.
func New(workDir, env string) *Settings { return &Settings{workDir, env} }

var envPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Environment returns the environment's name: the flag, else SERVICE_ENV, else dev.
func Environment(flag string, getenv func(string) (string, bool)) (string, error) {
	env, from := flag, "--env"
	if env == "" {
		env, _ = getenv("SERVICE_ENV")
		from = "SERVICE_ENV"
	}
	if env == "" {
		return "dev", nil
	}
	if !envPattern.MatchString(env) {
		return "", fmt.Errorf("%s is %q, which can't name an environment: use lower-case letters, digits, _ and -, such as dev, stg or prod", from, env)
	}
	return env, nil
}

var topicPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// Topic returns the values of a topic: configs/base/<topic>.yaml overlaid by configs/envs/<env>/<topic>.yaml. Maps are
// merged key by key; lists and scalars are replaced. Every leaf carries a config.Origin mark.
func (s *Settings) Topic(topic string) (cty.Value, error) {
	if !topicPattern.MatchString(topic) {
		return cty.NilVal, fmt.Errorf("%q can't name a topic: a topic is a file configs/base/<topic>.yaml", topic)
	}
	base, overlay := config.TopicFile(topic), config.OverlayFile(topic, s.env)
	low, err := s.read(base)
	if err != nil {
		return cty.NilVal, err
	}
	high, err := s.read(overlay)
	if err != nil {
		return cty.NilVal, err
	}
	switch {
	case low == nil && high == nil:
		return cty.NilVal, fmt.Errorf("there is no topic %q: it should be in %s%s", topic, base, s.others())
	case low == nil:
		return cty.NilVal, fmt.Errorf("the topic %q has %s and no base: put all of its keys into %s", topic, overlay, base)
	}
	v, err := value(base, low)
	if err != nil || high == nil {
		return v, err
	}
	w, err := value(overlay, high)
	if err != nil {
		return cty.NilVal, err
	}
	return merge(v, w), nil
}

// others names the topics that are there.
func (s *Settings) others() string {
	files, _ := filepath.Glob(filepath.Join(s.workDir, "configs", "base", "*.yaml"))
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return "; there are " + strings.Join(names, ", ")
}

// read parses one file; nil if there is none.
func (s *Settings) read(name string) (*yaml.Node, error) {
	data, err := os.ReadFile(filepath.Join(s.workDir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s is no valid YAML: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s must hold a map of settings, such as key: value", name)
	}
	return doc.Content[0], nil
}

// value turns a YAML node into a value whose leaves carry their origin.
func value(file string, n *yaml.Node) (cty.Value, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return object(file, n)
	case yaml.SequenceNode:
		vals := make([]cty.Value, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := value(file, c)
			if err != nil {
				return cty.NilVal, err
			}
			vals = append(vals, v)
		}
		return cty.TupleVal(vals), nil
	case yaml.AliasNode:
		return value(file, n.Alias)
	}
	v, err := scalar(n)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s, line %d: %w", file, n.Line, err)
	}
	return v.Mark(config.Origin{File: file, Line: n.Line, Column: n.Column}), nil
}

func object(file string, n *yaml.Node) (cty.Value, error) {
	vals := map[string]cty.Value{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return cty.NilVal, fmt.Errorf("%s, line %d: a key must be a plain text", file, key.Line)
		}
		if _, dup := vals[key.Value]; dup {
			return cty.NilVal, fmt.Errorf("%s, line %d: the key %s stands here twice", file, key.Line, key.Value)
		}
		v, err := value(file, n.Content[i+1])
		if err != nil {
			return cty.NilVal, err
		}
		vals[key.Value] = v
	}
	return cty.ObjectVal(vals), nil
}

func scalar(n *yaml.Node) (cty.Value, error) {
	switch n.ShortTag() {
	case "!!null":
		return cty.NullVal(cty.DynamicPseudoType), nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return cty.BoolVal(b), err
	case "!!int", "!!float":
		if v, err := cty.ParseNumberVal(n.Value); err == nil {
			return v, nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || f != f || f-f != 0 {
			return cty.NilVal, fmt.Errorf("%s is not a finite number", n.Value)
		}
		return cty.NumberFloatVal(f), nil
	}
	return cty.StringVal(n.Value), nil
}

// merge overlays high on low.
func merge(low, high cty.Value) cty.Value {
	if !low.Type().IsObjectType() || !high.Type().IsObjectType() || low.IsNull() || high.IsNull() {
		return high
	}
	vals := map[string]cty.Value{}
	for k := range low.Type().AttributeTypes() {
		vals[k] = low.GetAttr(k)
	}
	for k := range high.Type().AttributeTypes() {
		v := high.GetAttr(k)
		if old, ok := vals[k]; ok {
			v = merge(old, v)
		}
		vals[k] = v
	}
	return cty.ObjectVal(vals)
}
