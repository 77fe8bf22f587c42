package logit_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"pipe/stages/features/oracletest"
	"pipe/stages/train/logit"
)

func samples(seed uint64, n, cols int) (logit.Matrix, oracletest.Series, oracletest.Series) {
	r := rand.New(rand.NewPCG(seed, 1))
	x := logit.Matrix{Data: make([]float64, n*cols), Cols: cols}
	y, w := make(oracletest.Series, n), make(oracletest.Series, n)
	for i := range n {
		m := -1.0
		for j := range cols {
			v := r.NormFloat64() + float64(j%3)
			x.Data[i*cols+j] = v
			m += v * math.Sin(float64(j+1))
		}
		w[i] = 1
		if r.Float64() < 1/(1+math.Exp(-m)) {
			y[i], w[i] = 1, 3
		}
	}
	return x, y, w
}

func TestAgainstScikitLearn(t *testing.T) {
	x, y, w := samples(1, 800, 6)
	for _, l2 := range []float64{1e-4, 0.01, 1} {
		f, err := logit.Fit(x, y, w, logit.Options{L2: l2, FirstStep: 0.1, MaxIterations: 500})
		if err != nil || !f.Converged {
			t.Fatalf("l2 %v: %v, converged %v after %d", l2, err, f.Converged, f.Iterations)
		}
		p := make([]float64, x.Rows())
		for i := range p {
			p[i] = f.Probability(x.Row(i))
		}
		var want map[string]oracletest.Series
		oracletest.Run(t, `
from sklearn.linear_model import LogisticRegression
X = arg["x"].reshape(-1, 6)
# newton-cholesky, because the lbfgs there stops by the change of the loss, far from tol
m = LogisticRegression(C=1/(arg["l2"]*arg["w"].sum()), solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X, arg["y"], sample_weight=arg["w"])
reply({"w": m.coef_[0], "b": m.intercept_, "p": m.predict_proba(X)[:, 1]})`,
			map[string]any{"x": x.Data, "y": y, "w": w, "l2": l2}, &want)
		oracletest.Same(t, "weights", f.Weights, want["w"], 1e-6)
		oracletest.Same(t, "intercept", []float64{f.Intercept}, want["b"], 1e-6)
		oracletest.Same(t, "probability", p, want["p"], 1e-6)
	}
}

func TestBitIdentical(t *testing.T) {
	x, y, w := samples(2, 500, 8)
	o := logit.Options{L2: 1e-4, FirstStep: 0.1, MaxIterations: 200}
	first, err := logit.Fit(x, y, w, o)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := logit.Fit(x, y, w, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range first.Weights {
		if math.Float64bits(first.Weights[i]) != math.Float64bits(again.Weights[i]) {
			t.Errorf("weight %d: %x and %x", i, first.Weights[i], again.Weights[i])
		}
	}
}

func TestFirstStepIsUsedAndDoesNotMoveTheOptimum(t *testing.T) {
	x, y, w := samples(3, 400, 5)
	fit := func(step float64, iterations int) logit.Fitted {
		f, err := logit.Fit(x, y, w, logit.Options{L2: 1e-3, FirstStep: step, MaxIterations: iterations})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if a, b := fit(0.1, 1), fit(1, 1); a.Weights[0] == b.Weights[0] {
		t.Error("after one iteration the first step makes no difference: it isn't used")
	}
	a, b := fit(0.1, 500), fit(1, 500)
	for i := range a.Weights {
		if math.Abs(a.Weights[i]-b.Weights[i]) > 1e-5 {
			t.Errorf("weight %d is %v or %v, depending on the first step", i, a.Weights[i], b.Weights[i])
		}
	}
	if f := fit(0.1, 2); f.Converged || f.Iterations > 2 {
		t.Errorf("two iterations were allowed: %d were made, converged %v", f.Iterations, f.Converged)
	}
}

func TestSeparableSamplesHaveFiniteWeights(t *testing.T) {
	x := logit.Matrix{Data: []float64{-2, -1, 1, 2}, Cols: 1}
	f, err := logit.Fit(x, []float64{0, 0, 1, 1}, []float64{1, 1, 1, 1}, logit.Options{L2: 1e-4, FirstStep: 0.1, MaxIterations: 200})
	if err != nil || !f.Converged || f.Weights[0] < 1 || f.Weights[0] > 1e3 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestRefusals(t *testing.T) {
	x := logit.Matrix{Data: []float64{1, 2}, Cols: 1}
	ok := logit.Options{L2: 1, FirstStep: 0.1, MaxIterations: 10}
	if _, err := logit.Fit(x, []float64{1, 1}, []float64{1, 1}, ok); !errors.Is(err, logit.ErrOneClass) {
		t.Errorf("one class: %v", err)
	}
	for name, try := range map[string]func() error{
		"no l2": func() error {
			_, err := logit.Fit(x, []float64{0, 1}, []float64{1, 1}, logit.Options{FirstStep: 1, MaxIterations: 1})
			return err
		},
		"class 2":    func() error { _, err := logit.Fit(x, []float64{0, 2}, []float64{1, 1}, ok); return err },
		"weight NaN": func() error { _, err := logit.Fit(x, []float64{0, 1}, []float64{1, math.NaN()}, ok); return err },
		"lengths":    func() error { _, err := logit.Fit(x, []float64{0}, []float64{1}, ok); return err },
	} {
		if try() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
