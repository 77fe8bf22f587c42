package sql

import (
	"fmt"
	"math/big"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
)

type config struct {
	Inputs  cty.Value `cty:"inputs"`
	Query   string    `cty:"query"`
	OrderBy []string  `cty:"order_by"`
	Params  cty.Value `cty:"params"`
}

// Type is the stage type "sql".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: "sql", Rev: 1,
		Spec: stage.Schema{
			Doc: doc, Table: true, Example: example,
			Attrs: []stage.Attr{
				{Name: "inputs", Type: stage.HandlesType, Required: true, Handles: true,
					Doc: "The tables that the query reads, by the names that they have in it. All instances of a `for_each` block, and lists, are one table with the further column `_key`."},
				{Name: "query", Type: cty.String, Required: true, Doc: "One SELECT (also WITH, FROM or VALUES)."},
				{Name: "order_by", Type: cty.List(cty.String),
					Doc: "Columns of the result by which its rows are ordered, each with ` desc` behind it if descending. What is left undecided is ordered by the other columns."},
				{Name: "params", Type: cty.DynamicPseudoType, Doc: "Strings, numbers and booleans that stand as `$name` in the query. They are bound, not spliced in."},
			},
		},
		New: newRunner,
	}
}

const doc = `Runs one SELECT over tables, in DuckDB's dialect. The result is ` + "`data.parquet`" + `.

**Inputs.** Each input is a table under its name. If it is a collection (all instances of a ` + "`for_each`" + ` block, or a list),
the tables are put below each other in the order of their keys, columns matched by name, with the key in the column
` + "`_key`" + `.

**Order.** Rows are ordered by ` + "`order_by`" + `; else by the query's own ORDER BY, if it ends with one; else by all columns from
left to right. A file is never ordered by chance.

**What is refused.** Anything but a SELECT; other tables and files than the inputs; functions that give another result in
every run (the clock, random numbers, identifiers) or that tell of the session; samples without REPEATABLE. Pass a
date in ` + "`params`" + ` instead of asking for today's.

**Types.** Moments are TIMESTAMP in UTC, also where the query gives TIMESTAMP WITH TIME ZONE. Sums of whole numbers
(HUGEINT) become BIGINT.`

const example = `stage "sql" "daily" {
  inputs = { bars = stage.bars }
  params = { floor = 1.05 }
  query  = <<-SQL
    SELECT date_trunc('day', timestamp) AS day, first(open ORDER BY timestamp) AS open, max(high) AS high,
           min(low) AS low, last(close ORDER BY timestamp) AS close, sum(volume) AS volume
    FROM bars
    WHERE close > $floor
    GROUP BY day
  SQL
  order_by = ["day"]
}
`

type runner struct {
	inputs  []string // names, sorted
	query   string   // without a semicolon at its end
	order   []order
	ordered bool // the query has an order of its own
	params  map[string]any
}

// order is one term of order_by.
type order struct {
	column     string
	descending bool
}

func newRunner(c config) (stage.Runner, error) {
	r := &runner{}
	var err error
	if r.inputs, err = inputNames(c.Inputs); err != nil {
		return nil, err
	}
	if r.params, err = params(c.Params); err != nil {
		return nil, err
	}
	tokens, err := lex(c.Query)
	if err != nil {
		return nil, &stage.AttrError{Path: cty.GetAttrPath("query"), Err: err}
	}
	if tokens, r.query, err = single(tokens, c.Query); err != nil {
		return nil, &stage.AttrError{Path: cty.GetAttrPath("query"), Err: err}
	}
	if err := forbid(tokens); err != nil {
		return nil, &stage.AttrError{Path: cty.GetAttrPath("query"), Err: err}
	}
	if err := r.matchParams(tokens); err != nil {
		return nil, err
	}
	r.ordered = endsOrdered(tokens)
	for i, term := range c.OrderBy {
		o := parseOrder(term)
		if o.column == "" {
			return nil, &stage.AttrError{Path: cty.GetAttrPath("order_by").IndexInt(i), Err: fmt.Errorf("the name of a column is empty")}
		}
		r.order = append(r.order, o)
	}
	if r.ordered && len(r.order) > 0 {
		return nil, stage.Attrf("order_by", "the query has an ORDER BY of its own: take one of the two away")
	}
	return r, nil
}

func inputNames(v cty.Value) ([]string, error) {
	if v.IsNull() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return nil, stage.Attrf("inputs", "the inputs must be a map from the name of a table to a reference, as in { bars = stage.bars }")
	}
	var names []string
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		name := k.AsString()
		if !onlyHandles(x) {
			return nil, &stage.AttrError{Path: cty.GetAttrPath("inputs").GetAttr(name),
				Err: fmt.Errorf("input %q must be a reference such as stage.bars, or a collection of them", name)}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, stage.Attrf("inputs", "there is no input: name at least one, as in { bars = stage.bars }")
	}
	sort.Strings(names)
	for i := 1; i < len(names); i++ {
		for _, before := range names[:i] {
			if strings.EqualFold(before, names[i]) {
				return nil, stage.Attrf("inputs", "the inputs %q and %q are the same name in SQL, which takes no notice of case: rename one", before, names[i])
			}
		}
	}
	return names, nil
}

// onlyHandles reports whether v is a reference or a non-empty collection of references.
func onlyHandles(v cty.Value) bool {
	if v.IsNull() {
		return false
	}
	if v.Type().Equals(stage.HandleType) {
		return true
	}
	if !v.CanIterateElements() || v.LengthInt() == 0 {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, x := it.Element(); x.IsNull() || !x.Type().Equals(stage.HandleType) {
			return false
		}
	}
	return true
}

// params turns the values into what is bound.
func params(v cty.Value) (map[string]any, error) {
	vals := map[string]any{}
	if v.IsNull() {
		return vals, nil
	}
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return nil, stage.Attrf("params", "the params must be a map from names to values, as in { floor = 1.05 }")
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		name := k.AsString()
		switch {
		case x.IsNull():
			vals[name] = nil
		case x.Type() == cty.String:
			vals[name] = x.AsString()
		case x.Type() == cty.Bool:
			vals[name] = x.True()
		case x.Type() == cty.Number:
			vals[name] = number(x.AsBigFloat())
		default:
			return nil, &stage.AttrError{Path: cty.GetAttrPath("params").GetAttr(name),
				Err: fmt.Errorf("param %q is %s, and must be a string, a number or a boolean", name, x.Type().FriendlyName())}
		}
	}
	return vals, nil
}

func number(f *big.Float) any {
	if n, acc := f.Int64(); acc == big.Exact {
		return n
	}
	d, _ := f.Float64()
	return d
}

// matchParams finds params that the query does not use, and the other way round.
func (r *runner) matchParams(tokens []token) error {
	used := map[string]bool{}
	for _, t := range tokens {
		if t.kind != param {
			continue
		}
		if _, ok := r.params[t.text]; !ok {
			return stage.Attrf("query", "%s: $%s stands in the query and not in params: add params = { %s = … }", t.place(), t.text, t.text)
		}
		used[t.text] = true
	}
	for _, name := range sortedNames(r.params) {
		if !used[name] {
			return &stage.AttrError{Path: cty.GetAttrPath("params").GetAttr(name),
				Err: fmt.Errorf("param %q is not used: write $%s in the query, or take it away", name, name)}
		}
	}
	return nil
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func parseOrder(term string) order {
	o := order{column: strings.TrimSpace(term)}
	fields := strings.Fields(o.column)
	if n := len(fields); n > 1 {
		switch strings.ToLower(fields[n-1]) {
		case "desc":
			o.descending = true
			fallthrough
		case "asc":
			o.column = strings.TrimSpace(o.column[:len(o.column)-len(fields[n-1])])
		}
	}
	return o
}
