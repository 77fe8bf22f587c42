package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDecoupled checks what the breakdown promises: the correlation asked for, leg B's own mean and variance, leg A as it was.
func TestDecoupled(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var m Market
	a, b := 0.0, 5.0
	for i := range 2000 {
		m.Time = append(m.Time, int64(i*3600))
		for range 2 {
			u := r.NormFloat64()
			a, b = a+0.002*u, b+0.003*(-0.8*u+0.6*r.NormFloat64())
			if len(m.OpenA) <= i {
				m.OpenA, m.OpenB = append(m.OpenA, math.Exp(a)), append(m.OpenB, math.Exp(b))
			} else {
				m.CloseA, m.CloseB = append(m.CloseA, math.Exp(a)), append(m.CloseB, math.Exp(b))
			}
		}
	}
	rho, meanWas, varWas := moments(m)
	if rho > -0.7 {
		t.Fatalf("correlation %v to begin with", rho)
	}
	for _, c := range []float64{0, 0.2} {
		got, err := m.decoupled(c)
		if err != nil {
			t.Fatal(err)
		}
		rho, mean, variance := moments(got)
		if math.Abs(rho+c) > 1e-9 || math.Abs(mean-meanWas) > 1e-12 || math.Abs(variance/varWas-1) > 1e-9 {
			t.Errorf("c = %v: correlation %v, mean %v (was %v), variance %v (was %v)", c, rho, mean, meanWas, variance, varWas)
		}
	}
	if _, err := (Market{Time: m.Time, OpenA: m.OpenA, CloseA: m.CloseA, OpenB: m.OpenA, CloseB: m.CloseA}).decoupled(0); err == nil {
		t.Error("a leg against itself was decoupled")
	}
	_, before := steps(m.OpenA, m.CloseA)
	spike := m.spiked(2)
	_, after := steps(spike.OpenA, spike.CloseA)
	for i := range before {
		if math.Abs(after[i]-2*before[i]) > 1e-9 {
			t.Fatalf("change %d is %v, twice %v was asked for", i, after[i], before[i])
		}
	}
}

func moments(m Market) (rho, mean, variance float64) {
	_, a := steps(m.OpenA, m.CloseA)
	_, b := steps(m.OpenB, m.CloseB)
	a, b = a[1:], b[1:]
	ma, mb, n := 0.0, 0.0, float64(len(a))
	for i := range a {
		ma, mb = ma+a[i]/n, mb+b[i]/n
	}
	saa, sbb, sab := 0.0, 0.0, 0.0
	for i := range a {
		saa, sbb, sab = saa+(a[i]-ma)*(a[i]-ma), sbb+(b[i]-mb)*(b[i]-mb), sab+(a[i]-ma)*(b[i]-mb)
	}
	return sab / math.Sqrt(saa*sbb), mb, sbb / n
}
