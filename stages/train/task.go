package train

import (
	"fmt"
	"math"

	"pipe/stages/features"
	"pipe/stages/features/frame"
	"pipe/stages/train/fold"
	"pipe/stages/train/logit"
)

// maxClassWeight bounds how much more a sample of AI2's rarer class counts.
const maxClassWeight = 5

// task is what one model has to learn, over the usable rows of the features.
type task struct {
	name      string // ai1 or ai2
	params    ModelParams
	balance   balance
	y         []float64 // 0, 1, or missing
	labels    fold.Labels
	raw       []float64 // out-of-fold probability before calibration, or missing
	predicted []float64 // after calibration
	trainable [][]int   // by fold: the labelled rows that it may train on
}

// balance says how classes are weighted.
type balance int

const (
	asIs   balance = iota
	rareUp         // the rarer class up to balance, at most maxClassWeight-fold
)

func newTask(f *frame.Frame, rows []int, name, label, end string, p ModelParams, b balance) (*task, error) {
	y, err := f.Need(label)
	if err != nil {
		return nil, err
	}
	ends, err := f.Need(end)
	if err != nil {
		return nil, err
	}
	t := &task{name: name, params: p, balance: b, raw: missing(len(rows)), predicted: missing(len(rows))}
	for _, r := range rows {
		at := f.Time[r]
		last := at - 1
		switch {
		case math.IsNaN(y[r]):
		case y[r] != 0 && y[r] != 1:
			return nil, fmt.Errorf("column %q, row %d: a label is 0 or 1, not %v", label, r+1, y[r])
		case math.IsNaN(ends[r]) || ends[r] < float64(at):
			return nil, fmt.Errorf("column %q, row %d: a label needs an end that is not before its bar: without it no training set can be purged", end, r+1)
		default:
			last = int64(ends[r])
		}
		t.y = append(t.y, y[r])
		t.labels.Start, t.labels.End = append(t.labels.Start, at), append(t.labels.End, last)
	}
	return t, nil
}

func tasks(f *frame.Frame, rows []int, s Settings) ([]*task, error) {
	ai1, err := newTask(f, rows, "ai1", features.AI1Label, features.AI1End, s.AI1, asIs)
	if err != nil {
		return nil, err
	}
	ai2, err := newTask(f, rows, "ai2", features.AI2Label, features.AI2End, s.AI2, rareUp)
	return []*task{ai1, ai2}, err
}

// labelled lists the rows from..to that have a label.
func (t *task) labelled(from, to int) []int {
	var rows []int
	for r := from; r < to; r++ {
		if t.labels.Has(r) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (t *task) positives(rows []int) int {
	n := 0
	for _, r := range rows {
		n += int(t.y[r])
	}
	return n
}

// weights of the negative and the positive class.
func (t *task) weights(rows []int) [2]float64 {
	w := [2]float64{1, 1}
	pos := float64(t.positives(rows))
	neg := float64(len(rows)) - pos
	if t.balance == asIs || pos == 0 || neg == 0 {
		return w
	}
	if pos < neg {
		w[1] = math.Min(maxClassWeight, neg/pos)
	} else {
		w[0] = math.Min(maxClassWeight, pos/neg)
	}
	return w
}

// fit trains on the given rows of x, which holds all usable rows, scaled.
func (t *task) fit(x logit.Matrix, rows []int) (logit.Fitted, [2]float64, error) {
	class := t.weights(rows)
	sub := logit.Matrix{Data: make([]float64, 0, len(rows)*x.Cols), Cols: x.Cols}
	y, w := make([]float64, len(rows)), make([]float64, len(rows))
	for i, r := range rows {
		sub.Data = append(sub.Data, x.Row(r)...)
		y[i], w[i] = t.y[r], class[int(t.y[r])]
	}
	m, err := logit.Fit(sub, y, w, logit.Options{L2: t.params.L2, FirstStep: t.params.LearningRate, MaxIterations: t.params.Epochs})
	return m, class, err
}

func pick(x []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = x[r]
	}
	return out
}

func missing(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

func (t *task) trainSpan(time []int64, rows []int) TrainSpan {
	return TrainSpan{Span: span(time, rows), Positives: t.positives(rows)}
}
