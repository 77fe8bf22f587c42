package check

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"
)

// short are the settings of the short form; nil where they are not given.
type short struct {
	required, ranges, missing, minRows, maxRows *yaml.Node
}

// expand turns the short form into expectations: on the number of rows, on the columns that must be there, on ranges, on
// missing values, in this order.
func (s *suite) expand() error {
	if err := s.rowCount(); err != nil {
		return err
	}
	columns, err := s.requiredColumns()
	if err != nil {
		return err
	}
	ranged, err := s.columnRanges()
	if err != nil {
		return err
	}
	return s.missingRates(append(columns, ranged...))
}

func (s *suite) rowCount() error {
	args := map[string]any{}
	var at *yaml.Node
	var counts []float64
	for _, b := range []struct {
		setting, arg string
		value        *yaml.Node
	}{{"max_rows", "max_value", s.maxRows}, {"min_rows", "min_value", s.minRows}} {
		if b.value == nil {
			continue
		}
		var n float64
		if b.value.Kind == yaml.ScalarNode && b.value.Decode(&n) == nil && (n < 0 || n != math.Trunc(n)) {
			return s.fail(b.value, "%s counts rows, so it must be a whole number of at least 0, not %s", b.setting, b.value.Value)
		}
		args[b.arg], at, counts = b.value, b.value, append(counts, n)
	}
	if at == nil {
		return nil
	}
	if len(counts) == 2 && counts[0] < counts[1] {
		return s.fail(s.maxRows, "max_rows is less than min_rows, so no table can hold")
	}
	return s.add(at, "table_row_count_to_be_between", args, "")
}

func (s *suite) requiredColumns() ([]*yaml.Node, error) {
	if s.required == nil {
		return nil, nil
	}
	if s.required.Kind != yaml.SequenceNode {
		return nil, s.fail(s.required, "required_columns must be a list of columns")
	}
	seen := map[string]bool{}
	for _, c := range s.required.Content {
		if err := s.column(c); err != nil {
			return nil, err
		}
		if seen[c.Value] {
			return nil, s.fail(c, "the column %s stands here twice", c.Value)
		}
		seen[c.Value] = true
		if err := s.add(c, "column_to_exist", map[string]any{"column": cty.StringVal(c.Value)}, ""); err != nil {
			return nil, err
		}
	}
	return s.required.Content, nil
}

func (s *suite) column(c *yaml.Node) error {
	if c.Kind != yaml.ScalarNode || c.ShortTag() == "!!null" || c.Value == "" {
		return s.fail(c, "the name of a column must stand here")
	}
	return nil
}

func (s *suite) columnRanges() ([]*yaml.Node, error) {
	if s.ranges == nil {
		return nil, nil
	}
	if s.ranges.Kind != yaml.MappingNode {
		return nil, s.fail(s.ranges, "column_ranges must be a map from a column to [least, greatest]")
	}
	pairs, err := s.pairs(s.ranges)
	if err != nil {
		return nil, err
	}
	var columns []*yaml.Node
	for _, p := range pairs {
		if err := s.column(p.key); err != nil {
			return nil, err
		}
		if p.value.Kind != yaml.SequenceNode || len(p.value.Content) != 2 {
			return nil, s.fail(p.value, "the range of %s must be [least, greatest]", p.key.Value)
		}
		args := map[string]any{"column": cty.StringVal(p.key.Value), "min_value": target(p.value.Content[0]), "max_value": target(p.value.Content[1])}
		if err := s.add(p.key, "column_values_to_be_between", args, ""); err != nil {
			return nil, err
		}
		columns = append(columns, p.key)
	}
	return columns, nil
}

func (s *suite) missingRates(columns []*yaml.Node) error {
	if s.missing == nil {
		return nil
	}
	// The complement is taken in decimals: in binary 1 - 0.7 is more than 0.3, and three good values of ten would fail.
	var f float64
	if s.missing.Kind != yaml.ScalarNode || s.missing.Decode(&f) != nil || !(f >= 0 && f <= 1) {
		return s.fail(s.missing, "max_missing_rate is a share and must lie between 0 and 1, not be %q", s.missing.Value)
	}
	rate, err := exact(json.Number(strconv.FormatFloat(f, 'g', -1, 64)))
	if err != nil {
		return s.fail(s.missing, "max_missing_rate: %w", err)
	}
	if len(columns) == 0 {
		return s.fail(s.missing, "max_missing_rate needs required_columns or column_ranges: it holds for the columns that they name")
	}
	share, _ := new(big.Rat).Sub(big.NewRat(1, 1), rate).Float64()
	mostly := cty.MustParseNumberVal(strconv.FormatFloat(share, 'g', -1, 64))
	done := map[string]bool{}
	for _, c := range columns {
		if done[c.Value] {
			continue
		}
		done[c.Value] = true
		args := map[string]any{"column": cty.StringVal(c.Value), "mostly": mostly}
		if err := s.add(c, "column_values_to_not_be_null", args, ""); err != nil {
			return err
		}
	}
	return nil
}
