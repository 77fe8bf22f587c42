package frame

import (
	"fmt"
	"math"
)

// Frame is a table with a time axis. The zero Frame has no rows; New makes one with rows.
type Frame struct {
	Time  []int64
	names []string
	index map[string]int
	data  [][]float64
}

// New returns a frame without columns over the given time axis, which must ascend strictly.
func New(time []int64) (*Frame, error) {
	for i := 1; i < len(time); i++ {
		if time[i] <= time[i-1] {
			return nil, fmt.Errorf("row %d has time %d after %d: times must ascend and be unique", i+1, time[i], time[i-1])
		}
	}
	return &Frame{Time: time, index: map[string]int{}}, nil
}

// Len is the number of rows.
func (f *Frame) Len() int { return len(f.Time) }

// Names lists the columns in the order in which they were first set.
func (f *Frame) Names() []string { return append([]string(nil), f.names...) }

// Set adds or replaces a column. It keeps the slice.
func (f *Frame) Set(name string, values []float64) error {
	if len(values) != len(f.Time) {
		return fmt.Errorf("column %q has %d values for %d rows", name, len(values), len(f.Time))
	}
	if i, ok := f.index[name]; ok {
		f.data[i] = values
		return nil
	}
	f.index[name] = len(f.names)
	f.names = append(f.names, name)
	f.data = append(f.data, values)
	return nil
}

// Col returns a column, which the caller must not change.
func (f *Frame) Col(name string) ([]float64, bool) {
	i, ok := f.index[name]
	if !ok {
		return nil, false
	}
	return f.data[i], true
}

// Need returns a column or an error that says which one is missing.
func (f *Frame) Need(name string) ([]float64, error) {
	if c, ok := f.Col(name); ok {
		return c, nil
	}
	return nil, fmt.Errorf("there is no column %q (the columns are %q)", name, f.names)
}

// Complete lists, in order, the rows in which none of the named columns is missing.
func (f *Frame) Complete(names []string) ([]int, error) {
	cols := make([][]float64, len(names))
	for i, n := range names {
		c, err := f.Need(n)
		if err != nil {
			return nil, err
		}
		cols[i] = c
	}
	var rows []int
next:
	for r := range f.Time {
		for _, c := range cols {
			if math.IsNaN(c[r]) {
				continue next
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}
