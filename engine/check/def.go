package check

import (
	"sort"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// Family says what an expectation looks at, and so which result fields it has.
type Family string

// The families.
const (
	ColumnMap       Family = "column_map"       // every value of a column
	ColumnAggregate Family = "column_aggregate" // one number of a column
	MultiColumn     Family = "multi_column"     // every row, by several columns
	Table           Family = "table"            // the table as a whole
	Metric          Family = "metric"           // a number that the node reported
)

// Def describes one expectation of the vocabulary.
type Def struct {
	Name   string
	Family Family
	Schema stage.Schema
}

// Lookup returns the expectation called name. The prefix "expect_" of other tools' suites may stand before it.
func Lookup(name string) (Def, bool) {
	name = strings.TrimPrefix(name, "expect_")
	if name == "column_pair_values_A_to_be_greater_than_B" { // how older suites spell it
		name = strings.ToLower(name)
	}
	d, ok := byName()[name]
	return d, ok
}

// byName is the vocabulary, made when it is first needed.
var byName = sync.OnceValue(func() map[string]Def {
	m := map[string]Def{}
	for _, d := range vocabulary() {
		m[d.Name] = d
	}
	return m
})

// Names lists the vocabulary, sorted.
func Names() []string {
	var names []string
	for name := range byName() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func column() stage.Attr {
	return stage.Attr{Name: "column", Type: cty.String, Required: true, Doc: "The column."}
}

func mostly() stage.Attr {
	return stage.Attr{Name: "mostly", Type: cty.Number, Doc: "The share of the considered values, from 0 to 1, that must meet the expectation. 1 by default. There is no tolerance: 0.999 of 1,000 values allows one."}
}

// bounds are min_value and max_value of type t (DynamicPseudoType also takes dates and texts).
func bounds(t cty.Type, what string) []stage.Attr {
	return []stage.Attr{
		{Name: "min_value", Type: t, Doc: "The least " + what + " allowed. At least one of min_value and max_value is needed."},
		{Name: "max_value", Type: t, Doc: "The greatest " + what + " allowed."},
		{Name: "strict_min", Type: cty.Bool, Doc: "Whether min_value itself is not allowed."},
		{Name: "strict_max", Type: cty.Bool, Doc: "Whether max_value itself is not allowed."},
	}
}

func columnMap(name, doc string, attrs ...stage.Attr) Def {
	all := append([]stage.Attr{column()}, attrs...)
	return define(name, ColumnMap, doc, append(all, mostly())...)
}

// columnAggregate is an expectation on one number of a column (DynamicPseudoType: also on a date or a text).
func columnAggregate(name string, t cty.Type, doc, what string) Def {
	return define(name, ColumnAggregate, doc+" Nulls are left out. A column without values fails, and so does one that holds NaN where a number is computed.",
		append([]stage.Attr{column()}, bounds(t, what)...)...)
}

func define(name string, family Family, doc string, attrs ...stage.Attr) Def {
	attrs = append(attrs[:len(attrs):len(attrs)], stage.Attr{Name: "severity", Type: cty.String, Default: cty.StringVal(string(Error)),
		OneOf: []string{string(Info), string(Warn), string(Error), string(Critical)},
		Doc:   "What a failure means: `error` and `critical` keep the artifact aside and stop everything below it; `warn` and `info` are reported."})
	return Def{Name: name, Family: family, Schema: stage.Schema{Doc: doc, Attrs: attrs}}
}

func valueSet() stage.Attr {
	return stage.Attr{Name: "value_set", Type: cty.DynamicPseudoType, Required: true, Doc: "The list of values; it can't be empty."}
}

func regex() stage.Attr {
	return stage.Attr{Name: "regex", Type: cty.String, Required: true, Doc: "A regular expression (RE2). It is searched for anywhere in the value; anchor it with ^ and $ to match the whole."}
}

func strictly() stage.Attr {
	return stage.Attr{Name: "strictly", Type: cty.Bool, Doc: "Whether equal neighbours are not allowed."}
}

func columnList(doc string) stage.Attr {
	return stage.Attr{Name: "column_list", Type: cty.List(cty.String), Required: true, Doc: doc}
}

// vocabulary lists all expectations in the order of the reference page.
func vocabulary() []Def {
	any := cty.DynamicPseudoType
	nulls := " Nulls are not considered."
	nan := " Nulls are not considered; NaN is unexpected."
	order := ", in the order of the table, nulls passed over. The first value is expected. NaN is unexpected and passed over."
	return []Def{
		columnMap("column_values_to_not_be_null", "No value of the column is null. NaN counts as null here, because it is a missing number that another tool wrote."),
		columnMap("column_values_to_be_null", "Every value of the column is null."),
		columnMap("column_values_to_be_between", "Every value lies between the bounds, which are numbers, dates and times (ISO 8601; without a zone they mean UTC) or texts (compared byte by byte)."+nan, bounds(any, "value")...),
		columnMap("column_values_to_be_in_set", "Every value is one of a set; dates and times are written in ISO 8601."+nulls, valueSet()),
		columnMap("column_values_to_not_be_in_set", "No value is one of a set."+nulls, valueSet()),
		columnMap("column_values_to_be_unique", "No value stands in the column twice. Every row of a repeated value is unexpected, not only the later ones."+nulls),
		columnMap("column_values_to_match_regex", "Every value contains a match of a regular expression."+nulls, regex()),
		columnMap("column_values_to_not_match_regex", "No value contains a match of a regular expression."+nulls, regex()),
		columnMap("column_values_to_be_increasing", "Every value is at least the value before it"+order, strictly()),
		columnMap("column_values_to_be_decreasing", "Every value is at most the value before it"+order, strictly()),
		columnMap("column_value_lengths_to_be_between", "Every text has between so many characters."+nulls, bounds(cty.Number, "number of characters")...),
		columnAggregate("column_min_to_be_between", any, "The least value of the column lies between the bounds, which are numbers, dates and times, or texts.", "minimum"),
		columnAggregate("column_max_to_be_between", any, "The greatest value of the column lies between the bounds, which are numbers, dates and times, or texts.", "maximum"),
		columnAggregate("column_mean_to_be_between", cty.Number, "The arithmetic mean of the column lies between the bounds.", "mean"),
		columnAggregate("column_median_to_be_between", cty.Number, "The median of the column lies between the bounds; of an even number of values it is the mean of the middle two.", "median"),
		columnAggregate("column_stdev_to_be_between", cty.Number, "The sample standard deviation of the column (divided by n-1) lies between the bounds. A single value has none, which fails.", "standard deviation"),
		columnAggregate("column_sum_to_be_between", cty.Number, "The sum of the column lies between the bounds.", "sum"),
		columnAggregate("column_unique_value_count_to_be_between", cty.Number, "The number of distinct values of the column lies between the bounds.", "number of values"),
		columnAggregate("column_proportion_of_unique_values_to_be_between", cty.Number, "The number of distinct values divided by the number of values lies between the bounds.", "proportion"),
		define("column_to_exist", Table, "The table has the column.", column()),
		define("table_row_count_to_be_between", Table, "The number of rows lies between the bounds.", bounds(cty.Number, "number of rows")...),
		define("table_row_count_to_equal", Table, "The table has exactly so many rows.",
			stage.Attr{Name: "value", Type: cty.Number, Required: true, Doc: "The number of rows."}),
		define("table_column_count_to_be_between", Table, "The number of columns lies between the bounds.", bounds(cty.Number, "number of columns")...),
		define("table_columns_to_match_set", Table, "The table has these columns, in any order.",
			stage.Attr{Name: "column_set", Type: cty.List(cty.String), Required: true, Doc: "The columns; it can't be empty."},
			stage.Attr{Name: "exact_match", Type: cty.Bool, Default: cty.True, Doc: "Whether further columns are not allowed."}),
		define("table_columns_to_match_ordered_list", Table, "The table has exactly these columns in this order.", columnList("The columns.")),
		define("compound_columns_to_be_unique", MultiColumn, "No combination of values of these columns stands in the table twice. Rows in which all of them are null are not considered; a null is equal to a null.",
			columnList("The columns of the key."), mostly()),
		define("column_pair_values_a_to_be_greater_than_b", MultiColumn, "In every row the value of one column is greater than that of another. Rows in which both are null are not considered; a null beside a value is unexpected, and so is NaN.",
			stage.Attr{Name: "column_A", Type: cty.String, Required: true, Doc: "The column with the greater values."},
			stage.Attr{Name: "column_B", Type: cty.String, Required: true, Doc: "The column with the lesser values."},
			stage.Attr{Name: "or_equal", Type: cty.Bool, Doc: "Whether equal values are allowed."}, mostly()),
		define("metric_to_be_between", Metric, "A number that the node (or for a publish: a node that it publishes) reported lies between the bounds. A metric that is not there fails.",
			append([]stage.Attr{{Name: "metric", Type: cty.String, Required: true, Doc: "The name of the metric."}}, bounds(cty.Number, "value")...)...),
	}
}
