package isotonic

import (
	"fmt"
	"math"
	"sort"
)

// Curve is a fitted non-decreasing function: straight between its points, constant outside of them.
type Curve struct {
	X []float64 `json:"x"`
	Y []float64 `json:"y"`
	// Floor and Ceiling bound the result. n samples can't show that a probability is below 1/(n+2): without the bound
	// a stretch of scores that had no positive among a handful of samples would be called impossible.
	Floor   float64 `json:"floor"`
	Ceiling float64 `json:"ceiling"`
}

type block struct {
	weight, sum float64
	from, to    int // points of x, both inclusive
}

func (b block) mean() float64 { return b.sum / b.weight }

// Fit fits y (0 or 1) on scores.
func Fit(score, y []float64) (Curve, error) {
	if len(score) != len(y) || len(score) == 0 {
		return Curve{}, fmt.Errorf("fit isotonic curve: %d scores for %d outcomes", len(score), len(y))
	}
	x, blocks, err := ties(score, y)
	if err != nil {
		return Curve{}, err
	}
	pooled := pool(blocks)
	c := Curve{Floor: 1 / float64(len(y)+2)}
	c.Ceiling = 1 - c.Floor
	for _, b := range pooled {
		c.X, c.Y = append(c.X, x[b.from]), append(c.Y, b.mean())
		if b.to > b.from {
			c.X, c.Y = append(c.X, x[b.to]), append(c.Y, b.mean())
		}
	}
	return c, nil
}

// ties sorts by score and makes one block of each distinct score.
func ties(score, y []float64) ([]float64, []block, error) {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
		if math.IsNaN(score[i]) || y[i] != 0 && y[i] != 1 {
			return nil, nil, fmt.Errorf("fit isotonic curve: sample %d has score %v and outcome %v", i+1, score[i], y[i])
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return score[order[a]] < score[order[b]] })
	var x []float64
	var blocks []block
	for _, i := range order {
		if n := len(x); n == 0 || score[i] != x[n-1] {
			x = append(x, score[i])
			blocks = append(blocks, block{from: n, to: n})
		}
		last := &blocks[len(blocks)-1]
		last.weight++
		last.sum += y[i]
	}
	return x, blocks, nil
}

func pool(blocks []block) []block {
	var out []block
	for _, b := range blocks {
		out = append(out, b)
		for n := len(out); n > 1 && out[n-2].mean() >= out[n-1].mean(); n = len(out) {
			l, r := out[n-2], out[n-1]
			out = append(out[:n-2], block{weight: l.weight + r.weight, sum: l.sum + r.sum, from: l.from, to: r.to})
		}
	}
	return out
}

// At is the calibrated probability of a score.
func (c Curve) At(score float64) float64 {
	return math.Max(c.Floor, math.Min(c.Ceiling, c.raw(score)))
}

func (c Curve) raw(score float64) float64 {
	n := len(c.X)
	i := sort.SearchFloat64s(c.X, score) // the first point at or above the score
	switch {
	case i == n:
		return c.Y[n-1]
	case i == 0 || c.X[i] == score:
		return c.Y[i]
	}
	part := (score - c.X[i-1]) / (c.X[i] - c.X[i-1])
	return c.Y[i-1] + part*(c.Y[i]-c.Y[i-1])
}
