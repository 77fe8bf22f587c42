package config

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"pipe/engine/period"
)

// longestRange is how many periods a range may have; more is a slip of the pen.
const longestRange = 100_000

// rangeFunc lists the periods of a unit from one to another, both included.
func rangeFunc(u period.Unit) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "from", Type: cty.String}, {Name: "to", Type: cty.String}},
		Type:   function.StaticReturnType(cty.List(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var ends [2]period.Period
			for i, a := range args {
				p, ok := period.Parse(u, a.AsString())
				if !ok {
					return cty.NilVal, function.NewArgErrorf(i, "%q is no %s: write %s", a.AsString(), u, u.Form())
				}
				ends[i] = p
			}
			n := ends[1].Since(ends[0]) + 1
			if n < 1 {
				return cty.NilVal, function.NewArgErrorf(1, "the range ends before it begins")
			}
			if n > longestRange {
				return cty.NilVal, function.NewArgErrorf(1, "the range has %d %ss, and at most %d make sense", n, u, longestRange)
			}
			list := make([]cty.Value, n)
			for i := range list {
				list[i] = cty.StringVal(ends[0].Add(i).String())
			}
			return cty.ListVal(list), nil
		},
	})
}

// windowFunc takes the instances of a group whose periods end at a key: window(stage.bars, each.key, 3).
var windowFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "group", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowMarked: true},
		{Name: "key", Type: cty.String},
		{Name: "size", Type: cty.Number},
	},
	Type: function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		group, marks := args[0].Unmark()
		if group.Type().Equals(groupType) && !group.IsNull() {
			group, marks = (*group.EncapsulatedValue().(*cty.Value)).Unmark()
		}
		if ty := group.Type(); !ty.IsObjectType() && !ty.IsMapType() {
			return cty.NilVal, badWindow("the first argument is all instances of a block with for_each, such as stage.NAME, or a map by period: window(stage.NAME, each.key, 3)")
		}
		size, _ := args[2].AsBigFloat().Int64()
		if !args[2].AsBigFloat().IsInt() || size < 1 || size > longestRange {
			return cty.NilVal, badWindow("the size of a window is a whole number of periods, at least 1")
		}
		list, err := window(group, args[1].AsString(), int(size))
		if err != nil {
			return cty.NilVal, err
		}
		return cty.TupleVal(list).WithMarks(marks), nil
	},
})

func badWindow(format string, args ...any) error {
	return absentf("config.window", "Impossible window", format, args...)
}

// window returns the elements of the size periods that end at key, oldest first. Before the first period that the group
// has there is nothing to miss; a gap after it is an error, because what reads a window counts on its length.
func window(group cty.Value, key string, size int) ([]cty.Value, error) {
	own, ok := period.Find(key)
	if !ok {
		return nil, badWindow("%q holds no period: the key of a window has one day (YYYY-MM-DD), week (YYYY-Www) or month (YYYY-MM) in it", key)
	}
	var list []cty.Value
	for back := size - 1; back >= 0; back-- {
		k := own.Key(own.Add(-back))
		switch v, has := elementOf(group, k); {
		case has:
			list = append(list, v)
		case back == 0:
			return nil, badWindow("the group has no instance %q, at which the window ends", k)
		case len(list) > 0 || hasEarlier(group, own, own.Add(-back)):
			return nil, badWindow("the window of %d that ends at %q misses %q. Only what is before the first period may be missing; name the instances in a list if the gap is meant", size, key, k)
		}
	}
	return list, nil
}

func elementOf(group cty.Value, key string) (cty.Value, bool) {
	if group.Type().IsObjectType() {
		if !group.Type().HasAttribute(key) {
			return cty.NilVal, false
		}
		return group.GetAttr(key), true
	}
	k := cty.StringVal(key)
	if !group.HasIndex(k).True() {
		return cty.NilVal, false
	}
	return group.Index(k), true
}

// hasEarlier reports whether the group has an instance like own with a period before p.
func hasEarlier(group cty.Value, own period.Place, p period.Period) bool {
	for it := group.ElementIterator(); it.Next(); {
		k, _ := it.Element()
		if at, ok := period.Find(k.AsString()); ok && at.Like(own) && at.Compare(p) < 0 {
			return true
		}
	}
	return false
}

// periodFunctions are the functions of partitions.
func periodFunctions() map[string]function.Function {
	f := map[string]function.Function{"window": windowFunc}
	for _, u := range []period.Unit{period.Day, period.Week, period.Month} {
		f[fmt.Sprint(u, "s")] = rangeFunc(u)
	}
	return f
}
