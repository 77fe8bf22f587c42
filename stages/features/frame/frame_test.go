package frame_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pipe/stages/features/frame"
)

func TestFrame(t *testing.T) {
	f, err := frame.New([]int64{10, 20, 30})
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		values []float64
	}{{"b", []float64{1, nan, 3}}, {"a", []float64{nan, 2, 3}}, {"b", []float64{1, 2, 3}}} {
		if err := f.Set(c.name, c.values); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Names(); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("columns %v: they keep the order in which they were first set", got)
	}
	if rows, err := f.Complete([]string{"a", "b"}); err != nil || !slices.Equal(rows, []int{1, 2}) {
		t.Errorf("complete rows %v, %v", rows, err)
	}
	if err := f.Set("c", []float64{1}); err == nil {
		t.Error("a column of another length was taken")
	}
	if _, err := f.Need("z"); err == nil || !strings.Contains(err.Error(), `"z"`) {
		t.Errorf("a missing column: %v", err)
	}
	if _, err := f.Complete([]string{"z"}); err == nil {
		t.Error("complete rows of a missing column were found")
	}
}

func TestTimesMustAscend(t *testing.T) {
	for _, times := range [][]int64{{1, 1}, {2, 1}} {
		if _, err := frame.New(times); err == nil {
			t.Errorf("%v was accepted", times)
		}
	}
}
