package check

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// DecodeExpectation checks the arguments of the expectation called name, decoded by its Schema's Spec, and returns its
// canonical form. Mistakes are *stage.AttrError, also expectations that hold never or always.
func DecodeExpectation(name string, v cty.Value) (Expectation, error) {
	d, ok := Lookup(name)
	if !ok {
		return Expectation{}, fmt.Errorf("there is no expectation %q.%s", name, diag.DidYouMean(name, Names()))
	}
	if err := d.verify(v); err != nil {
		return Expectation{}, err
	}
	raw, refs, err := stage.Encode(v)
	if err != nil {
		return Expectation{}, err
	}
	if len(refs) > 0 {
		return Expectation{}, &stage.AttrError{Path: refs[0].Path, Err: fmt.Errorf("a reference can't stand in an expectation: write a value")}
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil {
		return Expectation{}, err
	}
	severity := Error
	if s, ok := args["severity"]; ok {
		if err := json.Unmarshal(s, &severity); err != nil {
			return Expectation{}, stage.Attrf("severity", "the severity must be a text")
		}
		delete(args, "severity")
	}
	withoutDefaults(args)
	canonical, err := digest.Canonical(args)
	if err != nil {
		return Expectation{}, err
	}
	return Expectation{Type: d.Name, Args: canonical, Severity: severity}, nil
}

// withoutDefaults leaves out what means the same as nothing, so that one expectation has one digest however it is written.
func withoutDefaults(args map[string]json.RawMessage) {
	for _, name := range []string{"strict_min", "strict_max", "strictly", "or_equal"} {
		if string(args[name]) == "false" {
			delete(args, name)
		}
	}
	if string(args["mostly"]) == "1" {
		delete(args, "mostly")
	}
}
