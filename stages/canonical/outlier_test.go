package canonical

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pipe/engine/stage/stagetest"
)

// naive computes the median absolute deviation from its definition.
func naive(values []float64) float64 {
	mid := func(v []float64) float64 {
		v = slices.Sorted(slices.Values(v))
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	m := mid(values)
	dev := make([]float64, len(values))
	for i, x := range values {
		dev[i] = math.Abs(x - m)
	}
	return mid(dev)
}

func TestWindowDeviation(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, size := range []int{1, 2, 3, 50, 51} {
		w := &window{size: size}
		var all []float64
		for i := range 400 {
			x := math.Round(rng.NormFloat64()*4) / 4 // many equal values
			if i%3 == 0 {
				x = rng.NormFloat64()
			}
			w.push(x)
			all = append(all, x)
			last := all[max(0, len(all)-size):]
			if got, want := w.deviation(), naive(last); math.Abs(got-want) > 1e-15 {
				t.Fatalf("size %d, after %d values: %v, want %v", size, i+1, got, want)
			}
		}
	}
}

func judge(t *testing.T, rows []row) (spikes, out []int64) {
	t.Helper()
	r := decode(t, `calendar = "weekdays"`)
	copied := make([]row, len(rows))
	for i, b := range rows {
		copied[i] = row{at: b.at, values: slices.Clone(b.values)}
	}
	kept, out := r.withoutOutliers(copied)
	for _, b := range kept {
		if b.spike {
			spikes = append(spikes, b.at)
		}
	}
	return spikes, out
}

func decode(t *testing.T, config string) *runner {
	t.Helper()
	v, err := stagetest.Decode(Type(), "source = input.raw\n"+config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Type().Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r.(*runner)
}

// move multiplies the prices of bars.
func move(rows []row, from, to int, factor float64) {
	for i := from; i < to; i++ {
		for k := range rows[i].values {
			rows[i].values[k] *= factor
		}
	}
}

func TestCleanBarsAreKept(t *testing.T) {
	for seed := range uint64(5) {
		if spikes, out := judge(t, walk(5000, seed)); len(spikes)+len(out) > 0 {
			t.Errorf("seed %d: %d spikes, %d taken out of normal changes", seed, len(spikes), len(out))
		}
	}
}

// Every injected tick must be found, and nothing else.
func TestInjectedTicksAreTakenOut(t *testing.T) {
	rows := walk(5000, 11)
	var want []int64
	for i := 100; i < 4900; i += 97 {
		factor := 1.02
		if i%2 == 0 {
			factor = 0.985
		}
		move(rows, i, i+1, factor)
		want = append(want, rows[i].at)
	}
	spikes, out := judge(t, rows)
	if !slices.Equal(out, want) || len(spikes) > 0 {
		t.Errorf("%d taken out, want %d; %d spikes", len(out), len(want), len(spikes))
	}
}

func TestTwoBadTicksInARow(t *testing.T) {
	rows := walk(500, 12)
	move(rows, 300, 302, 1.03)
	if spikes, out := judge(t, rows); !slices.Equal(out, []int64{rows[300].at, rows[301].at}) || len(spikes) > 0 {
		t.Errorf("%d taken out, %d spikes", len(out), len(spikes))
	}
}

// A jump that lasts is no bad tick, however large.
func TestJumpsAreKept(t *testing.T) {
	rows := walk(500, 13)
	move(rows, 300, 500, 0.8)
	if spikes, out := judge(t, rows); len(out) > 0 || !slices.Equal(spikes, []int64{rows[300].at}) {
		t.Errorf("%d taken out, spikes %v", len(out), spikes)
	}
}

// A market that turns trades at the prices between, so that each bar opens where the one before closed.
func TestTurnsAreKept(t *testing.T) {
	rows := walk(500, 17)
	crash := rows[300].values
	crash[closeIdx], crash[lowIdx] = crash[closeIdx]*0.97, crash[lowIdx]*0.96
	rows[301].values[openIdx], rows[301].values[lowIdx] = crash[closeIdx], crash[closeIdx]
	if spikes, out := judge(t, rows); len(out) > 0 || !slices.Equal(spikes, []int64{rows[300].at, rows[301].at}) {
		t.Errorf("%d taken out, spikes %v", len(out), spikes)
	}
}

func TestSpikeAtTheEndIsKept(t *testing.T) {
	rows := walk(500, 14)
	move(rows, 499, 500, 1.05)
	if spikes, out := judge(t, rows); len(out) > 0 || !slices.Equal(spikes, []int64{rows[499].at}) {
		t.Errorf("%d taken out, spikes %v", len(out), spikes)
	}
}

func TestTooFewBarsAreNotJudged(t *testing.T) {
	rows := walk(40, 15)
	move(rows, 20, 21, 2)
	if spikes, out := judge(t, rows); len(out)+len(spikes) > 0 {
		t.Errorf("%d taken out, spikes %v", len(out), spikes)
	}
}

// What is taken out is filled like any other missing bar, and flagged.
func TestTakenOutIsFilled(t *testing.T) {
	rows := walk(200, 16)
	move(rows, 150, 151, 1.05)
	at := rows[150].at
	j := &job{runner: decode(t, `calendar = "weekdays"`), names: priceNames(), utc: true, rows: rows}
	if err := j.clean(); err != nil {
		t.Fatal(err)
	}
	b := j.rows[150]
	if len(j.rows) != 200 || b.at != at || !b.filled || !b.spike || b.values[openIdx] != j.rows[149].values[closeIdx] {
		t.Errorf("%d bars, %+v", len(j.rows), b)
	}
	if m := j.summary(); m.OutlierBars != 1 || m.FilledBars != 1 || m.SpikeFlags != 0 {
		t.Errorf("%+v", m)
	}
}
