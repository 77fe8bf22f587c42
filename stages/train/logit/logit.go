package logit

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"
)

// Matrix holds samples in rows, row after row.
type Matrix struct {
	Data []float64
	Cols int
}

// Rows is the number of samples.
func (m Matrix) Rows() int { return len(m.Data) / m.Cols }

// Row returns one sample.
func (m Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// Options of a fit.
type Options struct {
	L2 float64
	// FirstStep is the length of one gradient-descent step from zero weights, after which L-BFGS takes over. The
	// objective is convex, so it decides where the search starts and not what it finds, provided that it converges
	// within MaxIterations.
	FirstStep     float64
	MaxIterations int
}

// Fitted is the outcome of a fit.
type Fitted struct {
	Weights    []float64
	Intercept  float64
	Iterations int
	Converged  bool // the gradient vanished within MaxIterations
}

// ErrOneClass says that all samples are of one class, so that there is nothing to tell apart.
var ErrOneClass = errors.New("all samples are of one class")

const (
	gradientTolerance = 1e-8
	// roundingTolerance is accepted where a line search can't improve the objective any more within float64.
	roundingTolerance = 1e-5
)

// Fit finds the weights. y holds 0 and 1, and w a positive weight for each sample.
func Fit(x Matrix, y, w []float64, o Options) (Fitted, error) {
	p, err := newProblem(x, y, w, o)
	if err != nil {
		return Fitted{}, err
	}
	start, grad := make([]float64, x.Cols+1), make([]float64, x.Cols+1)
	p.gradient(grad, start)
	for i, g := range grad {
		start[i] = -o.FirstStep * g
	}
	res, err := optimize.Minimize(
		optimize.Problem{Func: p.objective, Grad: p.gradient}, start,
		&optimize.Settings{MajorIterations: o.MaxIterations, GradientThreshold: gradientTolerance, Converger: optimize.NeverTerminate{}},
		&optimize.LBFGS{})
	if res == nil {
		return Fitted{}, fmt.Errorf("fit logistic regression: %w", err)
	}
	p.gradient(grad, res.X)
	steepest := 0.0
	for _, g := range grad {
		steepest = math.Max(steepest, math.Abs(g))
	}
	f := Fitted{Weights: res.X[:x.Cols:x.Cols], Intercept: res.X[x.Cols], Iterations: res.MajorIterations,
		Converged: res.Status == optimize.GradientThreshold || err != nil && steepest <= roundingTolerance}
	if err != nil && !f.Converged {
		return Fitted{}, fmt.Errorf("fit logistic regression: %w (largest slope left: %g); a smaller learning_rate or a larger l2 makes the problem easier", err, steepest)
	}
	for _, v := range res.X {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Fitted{}, fmt.Errorf("fit logistic regression: a weight is %v; a smaller learning_rate or a larger l2 makes the problem easier", v)
		}
	}
	return f, nil
}

// Probability is the fitted probability of class 1.
func (f Fitted) Probability(x []float64) float64 { return Probability(f.Weights, f.Intercept, x) }

// Probability is the logistic function of intercept + weights . x.
func Probability(weights []float64, intercept float64, x []float64) float64 {
	m := intercept
	for i, v := range weights {
		m += v * x[i]
	}
	return sigmoid(m)
}

func sigmoid(m float64) float64 {
	if m >= 0 {
		return 1 / (1 + math.Exp(-m))
	}
	e := math.Exp(m)
	return e / (1 + e)
}

type problem struct {
	x     Matrix
	y, w  []float64
	total float64 // of w
	l2    float64
}

func newProblem(x Matrix, y, w []float64, o Options) (*problem, error) {
	switch {
	case x.Cols < 1 || len(x.Data)%x.Cols != 0 || x.Rows() != len(y) || len(y) != len(w):
		return nil, fmt.Errorf("fit logistic regression: %d values in %d columns, %d classes and %d weights don't fit together", len(x.Data), x.Cols, len(y), len(w))
	case !(o.L2 > 0):
		return nil, fmt.Errorf("fit logistic regression: l2 is %v: it must be positive, or separable samples have no finite solution", o.L2)
	case o.MaxIterations < 1 || !(o.FirstStep > 0):
		return nil, fmt.Errorf("fit logistic regression: %d iterations and a first step of %v: both must be positive", o.MaxIterations, o.FirstStep)
	}
	p := &problem{x: x, y: y, w: w, l2: o.L2}
	seen := [2]bool{}
	for i, v := range y {
		if v != 0 && v != 1 || !(w[i] > 0) {
			return nil, fmt.Errorf("fit logistic regression: sample %d has class %v and weight %v", i+1, v, w[i])
		}
		seen[int(v)] = true
		p.total += w[i]
	}
	if !seen[0] || !seen[1] {
		return nil, ErrOneClass
	}
	return p, nil
}

func (p *problem) margin(b []float64, i int) float64 {
	m := b[p.x.Cols]
	for j, v := range p.x.Row(i) {
		m += b[j] * v
	}
	return m
}

func (p *problem) objective(b []float64) float64 {
	sum := 0.0
	for i, y := range p.y {
		m := p.margin(b, i)
		if y == 1 {
			m = -m
		}
		sum += p.w[i] * (math.Max(m, 0) + math.Log1p(math.Exp(-math.Abs(m)))) // log(1+e^m) without overflow
	}
	square := 0.0
	for _, v := range b[:p.x.Cols] {
		square += v * v
	}
	return sum/p.total + p.l2/2*square
}

func (p *problem) gradient(grad, b []float64) {
	for j := range grad {
		grad[j] = 0
	}
	for i, y := range p.y {
		r := p.w[i] * (sigmoid(p.margin(b, i)) - y)
		for j, v := range p.x.Row(i) {
			grad[j] += r * v
		}
		grad[p.x.Cols] += r
	}
	for j := range grad {
		grad[j] /= p.total
	}
	for j, v := range b[:p.x.Cols] {
		grad[j] += p.l2 * v
	}
}
