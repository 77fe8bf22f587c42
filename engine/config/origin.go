package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/diag"
)

// Origin is the mark that values of config("topic") carry: where in the configuration files a value stands.
type Origin struct {
	File         string // relative to the working directory
	Line, Column int    // from 1
}

// TopicFile is the file that holds the base values of a topic, relative to the working directory.
func TopicFile(topic string) string { return "configs/base/" + topic + ".yaml" }

// OverlayFile is the file that holds what an environment changes of a topic.
func OverlayFile(topic, env string) string { return "configs/envs/" + env + "/" + topic + ".yaml" }

// originOf says in a sentence with a leading space where v comes from; "" where that is nowhere or in many places.
func originOf(v cty.Value) string {
	places := map[Origin]bool{}
	for o := range cty.ValueMarksOfTypeDeep[Origin](v) {
		places[o] = true
	}
	if len(places) == 0 || len(places) > 3 {
		return ""
	}
	list := make([]string, 0, len(places))
	for o := range places {
		list = append(list, fmt.Sprintf("%s, line %d", o.File, o.Line))
	}
	sort.Strings(list)
	return " The value comes from " + strings.Join(list, " and ") + "."
}

// topic is the cached result of config("topic").
type topic struct {
	value cty.Value
	err   error
}

func (l *loader) topic(name string) (cty.Value, error) {
	if t, ok := l.topics[name]; ok {
		return t.value, t.err
	}
	t := topic{value: cty.NilVal}
	if l.opts.ConfigTopic == nil {
		t.err = fmt.Errorf("there is no configuration here: %s is not read", TopicFile(name))
	} else {
		t.value, t.err = l.opts.ConfigTopic(name)
		l.reads.add(readTopic, name, topicDigest(t.value, t.err))
	}
	l.topics[name] = t
	return t.value, t.err
}

// missingKey explains a traversal that asks a topic of the configuration for a key that is not there, as in
// local.training.foo. It returns nil for every other diagnostic.
func (l *loader) missingKey(d *hcl.Diagnostic) *hcl.Diagnostic {
	name, steps, ok := l.topicPath(d.Expression)
	if !ok {
		return nil
	}
	v, err := l.topic(name)
	if err != nil {
		return nil
	}
	path := ""
	for _, s := range steps {
		v, _ = v.Unmark()
		key := stepName(s)
		if key == "" || v.IsNull() || !v.Type().IsObjectType() {
			return nil
		}
		if !v.Type().HasAttribute(key) {
			return diag.Error("config.missing_setting", d.Subject, "Setting not found",
				"The configuration topic %q has no key %s%s.%s There are no defaults in code: add the key to %s, or to %s for this environment alone.",
				name, path, key, diag.DidYouMean(key, sortedKeys(v.Type().AttributeTypes())),
				TopicFile(name), OverlayFile(name, l.opts.Environment))
		}
		v = v.GetAttr(key)
		path += key + "."
	}
	return nil
}

// topicPath resolves an expression that is a path into a topic: config("training").cv, or local.training.cv where the
// local is such a path.
func (l *loader) topicPath(expr hcl.Expression) (topic string, steps hcl.Traversal, ok bool) {
	for range len(l.locals) + 1 { // locals may be in a cycle
		switch e := expr.(type) {
		case *hclsyntax.FunctionCallExpr:
			if e.Name != "config" || len(e.Args) != 1 {
				return "", nil, false
			}
			v, diags := e.Args[0].Value(nil)
			if diags.HasErrors() || v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
				return "", nil, false
			}
			return v.AsString(), steps, true
		case *hclsyntax.RelativeTraversalExpr:
			steps = append(append(hcl.Traversal{}, e.Traversal...), steps...)
			expr = e.Source
		case *hclsyntax.ParenthesesExpr:
			expr = e.Expression
		case *hclsyntax.ScopeTraversalExpr:
			lo := l.locals[member(e.Traversal)]
			if e.Traversal.RootName() != "local" || lo == nil {
				return "", nil, false
			}
			steps = append(append(hcl.Traversal{}, e.Traversal[2:]...), steps...)
			expr = lo.attr.Expr
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}
