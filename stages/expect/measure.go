package expect

import (
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"pipe/engine/check"
)

// pass says in which statement the numbers of a measure are found.
type pass int

const (
	scan  pass = iota // one SELECT over the table
	light             // the same for what the statistics of a file answer
	order             // windows in the order of the table
	keys              // one grouping for each key
	passes
)

// measure is one expectation on its way to a result.
type measure struct {
	index   int
	e       check.Expectation
	a       check.Args
	family  check.Family
	pass    pass
	columns []string // whose values are looked at, and listed for failing rows; the key of the pass keys
	numbers []string // expressions that the pass evaluates: how many values are considered, and what is asked for
	retry   []string // numbers to try instead where those fail
	values  []any    // what they gave
	window  string   // the expression over neighbours behind windowName
	bad     string   // the condition that an unexpected row meets; not for the pass keys
	all     bool     // all rows are considered, nulls too

	// mismatch is why the values can't be looked at. It is an exception only if there are values: a column that is null
	// throughout has whatever type its reader chose.
	mismatch error

	unexpected int64
	rows       []int64 // numbers of the first unexpected rows, from 0
	result     check.Result
	settled    bool
}

func (m *measure) broken(err error) { m.settle(check.Broken(m.e, err)) }

func (m *measure) settle(r check.Result) { m.result, m.settled = r, true }

// measure says how an expectation is evaluated. What needs no scan is settled at once.
func (s *session) measure(index int, e check.Expectation) *measure {
	m := &measure{index: index, e: e}
	d, ok := check.Lookup(e.Type)
	if !ok {
		m.broken(fmt.Errorf("there is no expectation %q", e.Type))
		return m
	}
	var err error
	if m.a, err = check.ParseArgs(e); err == nil {
		m.family = d.Family
		switch d.Family {
		case check.ColumnMap:
			err = s.columnMap(m)
		case check.ColumnAggregate:
			err = s.aggregate(m)
		case check.MultiColumn:
			err = s.multiColumn(m)
		case check.Table:
			s.table(m)
		}
	}
	if err != nil {
		m.broken(err)
	}
	return m
}

// considering sets the numbers of a measure: how many values are considered, and a further one.
func (m *measure) considering(considered, further string) {
	m.numbers = []string{considered, further}
}

// mismatched makes a measure that only counts the values which it can't look at.
func (m *measure) mismatched(considered string, err error) {
	m.mismatch, m.pass = err, scan
	m.considering(considered, considered)
}

// finish makes the result of the numbers.
func (m *measure) finish(s *session) {
	considered, err := count(m.values[0])
	if err != nil {
		m.broken(err)
		return
	}
	if m.mismatch != nil && considered > 0 {
		m.broken(m.mismatch)
		return
	}
	if m.family == check.ColumnAggregate {
		m.settle(m.observed(considered))
		return
	}
	if m.mismatch == nil {
		if m.unexpected, err = count(m.values[1]); err != nil {
			m.broken(err)
			return
		}
	}
	m.settle(check.Map(m.e, m.a, s.rows, s.rows-considered, m.unexpected))
}

// observed is the result of an aggregate.
func (m *measure) observed(considered int64) check.Result {
	if considered == 0 {
		return check.Observed(m.e, m.a, nil)
	}
	value := m.values[1]
	if value == nil && m.e.Type == "column_stdev_to_be_between" {
		r := check.NewResult(m.e)
		r.Message = check.About(m.e, m.a) + ": a standard deviation needs two values, and there is one"
		return r
	}
	return check.Observed(m.e, m.a, operand(value))
}

// operand is a value of the driver as bounds are compared with it.
func operand(value any) any {
	switch value := value.(type) {
	case float32, float64:
		return float(value)
	case time.Time:
		return value
	}
	return plain(value)
}

// count reads a count that the driver gave. count_if gives null where its condition is null throughout.
func count(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), nil
		}
	case json.Number:
		return v.Int64()
	}
	return 0, fmt.Errorf("%v (%T) is no count", v, v)
}
