package check

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// verify refuses arguments of a wrong kind, and expectations that hold never or always.
func (d Def) verify(v cty.Value) error {
	checks := []func(cty.Value) error{d.verifySeverity, d.verifyNames, d.verifyMostly, d.verifyNumbers, d.verifyBounds, d.verifyRange,
		d.verifySets, d.verifyRegex, d.verifyCount}
	for _, c := range checks {
		if err := c(v); err != nil {
			return err
		}
	}
	return nil
}

// get returns an argument that was given.
func get(v cty.Value, name string) (cty.Value, bool) {
	if !v.Type().HasAttribute(name) {
		return cty.NilVal, false
	}
	x, _ := v.GetAttr(name).UnmarkDeep()
	return x, x.IsWhollyKnown() && !x.IsNull()
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

// verifyNames refuses names that no column has, and keys that name a column twice.
func (d Def) verifyNames(v cty.Value) error {
	for _, name := range []string{"column", "column_A", "column_B", "metric"} {
		if s, ok := get(v, name); ok && s.AsString() == "" {
			return stage.Attrf(name, "%s is empty: give a name", name)
		}
	}
	a, hasA := get(v, "column_A")
	b, hasB := get(v, "column_B")
	if hasA && hasB && a.AsString() == b.AsString() {
		return stage.Attrf("column_B", "column_A and column_B are both %q: a column can't be compared with itself", a.AsString())
	}
	for _, name := range []string{"column_list", "column_set"} {
		list, ok := get(v, name)
		if !ok || !list.CanIterateElements() {
			continue
		}
		seen := map[string]bool{}
		for it := list.ElementIterator(); it.Next(); {
			_, x := it.Element()
			if x.IsNull() || x.AsString() == "" {
				return stage.Attrf(name, "%s holds an empty name", name)
			}
			if seen[x.AsString()] {
				return stage.Attrf(name, "%s names %q twice", name, x.AsString())
			}
			seen[x.AsString()] = true
		}
	}
	return nil
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

// verifyNumbers refuses numbers that no column can hold, before anything is computed with them.
func (d Def) verifyNumbers(v cty.Value) error {
	for _, name := range []string{"min_value", "max_value", "value", "value_set"} {
		x, ok := get(v, name)
		if !ok {
			continue
		}
		err := cty.Walk(x, func(_ cty.Path, n cty.Value) (bool, error) {
			if n.IsNull() || n.Type() != cty.Number {
				return true, nil
			}
			if f, _ := n.AsBigFloat().Float64(); math.IsInf(f, 0) || (f == 0 && n.AsBigFloat().Sign() != 0) {
				return false, stage.Attrf(name, "%s is out of range: a number must be finite and fit into 64 bits", n.AsBigFloat().Text('g', 6))
			}
			return true, nil
		})
		if err != nil {
			return err
		}
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
	for _, name := range []string{"min_value", "max_value"} {
		x, ok := get(v, name)
		if !ok {
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

// verifyRange refuses bounds outside of what a number can be at all: a share is at most 1, a deviation at least 0.
func (d Def) verifyRange(v cty.Value) error {
	var least, greatest float64 = 0, math.Inf(1)
	switch d.Name {
	case "column_proportion_of_unique_values_to_be_between":
		greatest = 1
	case "column_unique_value_count_to_be_between", "column_stdev_to_be_between":
	default:
		return nil
	}
	if low, ok := get(v, "min_value"); ok && low.AsBigFloat().Cmp(big.NewFloat(greatest)) > 0 {
		return stage.Attrf("min_value", "the value is at most %g, so it can't be at least %s", greatest, spell(low))
	}
	if high, ok := get(v, "max_value"); ok && high.AsBigFloat().Cmp(big.NewFloat(least)) < 0 {
		return stage.Attrf("max_value", "the value is at least %g, so it can't be at most %s", least, spell(high))
	}
	return nil
}

func isTrue(v cty.Value, name string) bool {
	b, ok := get(v, name)
	return ok && b.True()
}

// compare orders two bounds of one type. Texts that are moments are ordered as such.
func compare(a, b cty.Value) int {
	if a.Type() == cty.Number {
		return a.AsBigFloat().Cmp(b.AsBigFloat())
	}
	t, errT := ParseMoment(a.AsString())
	u, errU := ParseMoment(b.AsString())
	if errT == nil && errU == nil {
		return t.Compare(u)
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
	if r.AsString() == "" {
		return stage.Attrf("regex", "the regular expression is empty, so it is found in every text")
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
		f := n.AsBigFloat()
		if f.Sign() < 0 || !f.IsInt() {
			return stage.Attrf(name, "%s counts, so it must be a whole number of at least 0, not %s", name, f.Text('g', 6))
		}
		if _, exact := f.Int64(); exact != big.Exact {
			return stage.Attrf(name, "%s counts, and %s is more than can be counted", name, f.Text('g', 6))
		}
	}
	return nil
}
