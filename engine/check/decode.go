package check

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// DecodeExpectation checks the arguments of the expectation called name, decoded by its Schema's Spec, and returns its
// canonical form. Mistakes are *stage.AttrError, also expectations that can't hold.
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
	canonical, err := digest.Canonical(args)
	if err != nil {
		return Expectation{}, err
	}
	return Expectation{Type: d.Name, Args: canonical, Severity: severity}, nil
}

// verify refuses arguments of a wrong kind, and expectations that hold never or always.
func (d Def) verify(v cty.Value) error {
	checks := []func(cty.Value) error{d.verifySeverity, d.verifyMostly, d.verifyBounds, d.verifySets, d.verifyRegex, d.verifyCount}
	for _, c := range checks {
		if err := c(v); err != nil {
			return err
		}
	}
	return nil
}

func get(v cty.Value, name string) (cty.Value, bool) {
	if !v.Type().HasAttribute(name) {
		return cty.NilVal, false
	}
	x, _ := v.GetAttr(name).UnmarkDeep()
	return x, !x.IsNull()
}

func (d Def) verifySeverity(v cty.Value) error {
	s, ok := get(v, "severity")
	if !ok {
		return nil
	}
	a, _ := d.Schema.Attr("severity")
	for _, allowed := range a.OneOf {
		if s.AsString() == allowed {
			return nil
		}
	}
	return stage.Attrf("severity", "%q is no severity: use one of %s", s.AsString(), strings.Join(a.OneOf, ", "))
}

func (d Def) verifyMostly(v cty.Value) error {
	m, ok := get(v, "mostly")
	if !ok {
		return nil
	}
	if f := m.AsBigFloat(); f.Sign() < 0 || f.Cmp(big.NewFloat(1)) > 0 {
		return stage.Attrf("mostly", "mostly is a share and must lie between 0 and 1, not be %s", f.Text('g', 6))
	}
	return nil
}

func (d Def) verifyBounds(v cty.Value) error {
	if _, has := d.Schema.Attr("min_value"); !has {
		return nil
	}
	low, hasLow := get(v, "min_value")
	high, hasHigh := get(v, "max_value")
	if !hasLow && !hasHigh {
		return stage.Attrf("min_value", "an expectation without min_value and max_value always holds: give at least one of them")
	}
	for name, x := range map[string]cty.Value{"min_value": low, "max_value": high} {
		if x == cty.NilVal || x.IsNull() {
			continue
		}
		if t := x.Type(); t != cty.Number && t != cty.String {
			return stage.Attrf(name, "a bound must be a number, a date or a text, not %s", t.FriendlyName())
		}
	}
	if !hasLow || !hasHigh {
		return nil
	}
	if low.Type() != high.Type() {
		return stage.Attrf("max_value", "min_value is a %s and max_value a %s: both must be of one type", low.Type().FriendlyName(), high.Type().FriendlyName())
	}
	strict := isTrue(v, "strict_min") || isTrue(v, "strict_max")
	order := compare(low, high)
	if order > 0 || (order == 0 && strict) {
		return stage.Attrf("min_value", "no value can be between min_value %s and max_value %s", spell(low), spell(high))
	}
	return nil
}

func isTrue(v cty.Value, name string) bool {
	b, ok := get(v, name)
	return ok && b.True()
}

func compare(a, b cty.Value) int {
	if a.Type() == cty.Number {
		return a.AsBigFloat().Cmp(b.AsBigFloat())
	}
	return strings.Compare(a.AsString(), b.AsString())
}

func spell(v cty.Value) string {
	if v.Type() == cty.Number {
		return v.AsBigFloat().Text('g', -1)
	}
	return fmt.Sprintf("%q", v.AsString())
}

func (d Def) verifySets(v cty.Value) error {
	for _, name := range []string{"value_set", "column_set", "column_list"} {
		set, ok := get(v, name)
		if !ok {
			continue
		}
		if !set.CanIterateElements() || set.Type().IsObjectType() || set.Type().IsMapType() {
			return stage.Attrf(name, "%s must be a list", name)
		}
		if set.LengthInt() == 0 {
			return stage.Attrf(name, "%s is empty, so the expectation says nothing: list at least one value", name)
		}
		for it := set.ElementIterator(); it.Next(); {
			if _, x := it.Element(); x.IsNull() || !x.Type().IsPrimitiveType() {
				return stage.Attrf(name, "%s may hold numbers, texts and true or false, and no null", name)
			}
		}
	}
	return nil
}

func (d Def) verifyRegex(v cty.Value) error {
	r, ok := get(v, "regex")
	if !ok {
		return nil
	}
	if _, err := regexp.Compile(r.AsString()); err != nil {
		return stage.Attrf("regex", "the regular expression can't be read: %v", err)
	}
	return nil
}

// verifyCount refuses negative and broken counts of rows, columns and characters.
func (d Def) verifyCount(v cty.Value) error {
	counts := map[string]bool{"table_row_count_to_be_between": true, "table_row_count_to_equal": true,
		"table_column_count_to_be_between": true, "column_value_lengths_to_be_between": true}
	if !counts[d.Name] {
		return nil
	}
	for _, name := range []string{"min_value", "max_value", "value"} {
		n, ok := get(v, name)
		if !ok {
			continue
		}
		if f := n.AsBigFloat(); f.Sign() < 0 || !f.IsInt() {
			return stage.Attrf(name, "%s counts, so it must be a whole number of at least 0, not %s", name, f.Text('g', 6))
		}
	}
	return nil
}
