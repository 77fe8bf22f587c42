package features

import (
	"errors"
	"fmt"
	"math"
)

// Bars are the bars of one symbol in ascending order of time. Time is the start of the bar in Unix seconds.
type Bars struct {
	Symbol                 string
	Time                   []int64
	Open, High, Low, Close []float64
	Filled                 []bool // nil, or whether the bar was filled in by the canonical step

	// Carried are columns that came with the bars, such as z, rho_var_180 and atr_ratio.
	Carried map[string][]float64
}

// Len is the number of bars.
func (b Bars) Len() int { return len(b.Time) }

// Check refuses bars that can't be computed with: times that don't ascend, and prices that are missing or not positive.
func (b Bars) Check() error {
	if b.Len() == 0 {
		return fmt.Errorf("symbol %s has no bars", b.Symbol)
	}
	if len(b.Open) != b.Len() || len(b.High) != b.Len() || len(b.Low) != b.Len() || len(b.Close) != b.Len() {
		return fmt.Errorf("symbol %s: the columns of the bars differ in length", b.Symbol)
	}
	for i := range b.Time {
		if i > 0 && b.Time[i] <= b.Time[i-1] {
			return fmt.Errorf("symbol %s: bar %d does not come after the bar before it: sort the bars and take out duplicates (a canonical stage does both)", b.Symbol, i+1)
		}
		for _, v := range [4]float64{b.Open[i], b.High[i], b.Low[i], b.Close[i]} {
			if !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("symbol %s: bar %d has a price of %v: prices must be positive numbers", b.Symbol, i+1, v)
			}
		}
	}
	return nil
}

// Alignment says what joining two legs on their timestamps kept and lost.
type Alignment struct {
	RowsA  int `json:"rows_a"`
	RowsB  int `json:"rows_b"`
	Joined int `json:"joined"`
	OnlyA  int `json:"only_a"`
	OnlyB  int `json:"only_b"`
	Filled int `json:"filled"` // joined rows in which at least one bar was filled in
}

var errNoOverlap = errors.New("the two legs have no timestamp in common: check that both cover the same period in the same time zone")

// Align keeps the bars whose timestamps both legs have.
func Align(a, b Bars) (Bars, Bars, Alignment, error) {
	for _, leg := range [2]Bars{a, b} {
		if err := leg.Check(); err != nil {
			return Bars{}, Bars{}, Alignment{}, err
		}
	}
	outA, outB := Bars{Symbol: a.Symbol, Filled: []bool{}}, Bars{Symbol: b.Symbol, Filled: []bool{}}
	say := Alignment{RowsA: a.Len(), RowsB: b.Len()}
	for i, j := 0, 0; i < a.Len() && j < b.Len(); {
		switch {
		case a.Time[i] < b.Time[j]:
			i++
		case a.Time[i] > b.Time[j]:
			j++
		default:
			outA.take(a, i)
			outB.take(b, j)
			if last := outA.Len() - 1; outA.Filled[last] || outB.Filled[last] {
				say.Filled++
			}
			i, j = i+1, j+1
		}
	}
	say.Joined = outA.Len()
	say.OnlyA, say.OnlyB = say.RowsA-say.Joined, say.RowsB-say.Joined
	if say.Joined == 0 {
		return Bars{}, Bars{}, say, errNoOverlap
	}
	return outA, outB, say, nil
}

func (b *Bars) take(from Bars, i int) {
	b.Time = append(b.Time, from.Time[i])
	b.Open = append(b.Open, from.Open[i])
	b.High = append(b.High, from.High[i])
	b.Low = append(b.Low, from.Low[i])
	b.Close = append(b.Close, from.Close[i])
	b.Filled = append(b.Filled, from.Filled != nil && from.Filled[i])
}
