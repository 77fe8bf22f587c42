package oracletest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// MadeCSV returns n hourly bars of two legs whose spread reverts fast at some times and slowly at others, as CSV. It is a
// small market for tests of stages; equal arguments give equal text.
func MadeCSV(seed uint64, n int) (a, b string) {
	r := rand.New(rand.NewPCG(seed, 11))
	var legA, legB strings.Builder
	for _, w := range []*strings.Builder{&legA, &legB} {
		w.WriteString("timestamp,open,high,low,close,volume\n")
	}
	at := time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC)
	x, s, slow := math.Log(150), 0.0, false
	lastA, lastB := 0.0, 0.0
	for i := range n {
		if r.IntN(60) == 0 {
			slow = !slow
		}
		keep := 0.8
		if slow {
			keep = 0.985
		}
		x += 0.003 * r.NormFloat64()
		s = keep*s + 0.006*r.NormFloat64()
		closeA, closeB := math.Exp(4-0.8*x+s), math.Exp(x)
		if i == 0 {
			lastA, lastB = closeA, closeB
		}
		line(&legA, at, lastA, closeA, r)
		line(&legB, at, lastB, closeB, r)
		lastA, lastB = closeA, closeB
		at = at.Add(time.Hour)
	}
	return legA.String(), legB.String()
}

func line(w *strings.Builder, at time.Time, open, closing float64, r *rand.Rand) {
	high, low := max(open, closing)*(1+0.001*r.Float64()), min(open, closing)*(1-0.001*r.Float64())
	fmt.Fprintf(w, "%s,%.6f,%.6f,%.6f,%.6f,%d\n", at.Format(time.RFC3339), open, high, low, closing, 100+r.IntN(1000))
}
