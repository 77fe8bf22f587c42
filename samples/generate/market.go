package main

import (
	"math"
	"math/rand/v2"
	"time"
	_ "time/tzdata" // New York decides when the FX week begins and ends
)

// bar is one hour of one symbol.
type bar struct {
	at                     time.Time
	open, high, low, close float64
	volume                 int
}

// recipe is what the market is made of. Volatilities are per hour, in log units; durations are means, in hours.
type recipe struct {
	seed       uint64
	from, to   time.Time // first bar, and the end
	ticks      int       // price changes within an hour
	priceVol   float64   // of the wandering of USDJPY
	priceLife  float64   // half-life of what brings it back
	spread     float64   // how far out the spread goes
	jitter     float64   // standard deviation of the spread around where it is drawn to
	life       float64   // half-life of its way there
	centre     float64   // how long the spread stays at its centre
	calmOut    float64   // how long it stays out, in the calm regime
	stressOut  float64   // and in the stressed one
	stressVol  float64   // volatility that EURUSD has of its own under stress
	stressBeta float64   // factor on what EURUSD shares with USDJPY under stress
	calm       float64   // how long the calm regime lasts
	stress     float64   // and the stressed one
	shareA     float64   // part of the spread's movement that is EURUSD's
	gaps       int       // short gaps of each leg
}

const (
	levelA, levelB = 1.08, 150.0
	beta           = -0.8
)

func sample() recipe {
	return recipe{
		seed: 20250101, from: time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC), to: time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), ticks: 12,
		priceVol: 0.003, priceLife: 600, spread: 0.025, jitter: 0.001, life: 0.7, centre: 24, calmOut: 4, stressOut: 80,
		stressVol: 0.004, stressBeta: 0.4, calm: 600, stress: 80, shareA: 0.7, gaps: 4,
	}
}

// market simulates both legs. The spread's part in each leg is chosen such that a + |beta| b gives the whole spread.
func (r recipe) market() (eurusd, usdjpy []bar, err error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, nil, err
	}
	rnd := rand.New(rand.NewPCG(r.seed, 0))
	var wander, common, spread, own float64 // log USDJPY's and EURUSD's shared path, the spread, and EURUSD's own
	stressed, side := false, 0.0            // side is where the spread is drawn to: -1, 0 or 1
	dt := 1 / float64(r.ticks)
	priceA := func() float64 { return levelA * math.Exp(common+r.shareA*spread+own) }
	priceB := func() float64 { return levelB * math.Exp(wander-(1-r.shareA)/beta*spread) }
	for at := r.from; at.Before(r.to); at = at.Add(time.Hour) {
		if closed(at.In(zone)) {
			continue
		}
		stressed = r.regime(rnd, stressed)
		side = r.side(rnd, side, stressed)
		share, ownVol := 1.0, 0.0
		if stressed {
			share, ownVol = r.stressBeta, r.stressVol
		}
		busy := activity(at)
		a, b := begin(at, priceA()), begin(at, priceB())
		noise := r.jitter * math.Sqrt(2*math.Ln2/r.life) * busy
		for range r.ticks {
			drift := -math.Ln2 / r.priceLife * wander * dt
			move := drift + r.priceVol*busy*math.Sqrt(dt)*rnd.NormFloat64()
			wander += move
			common += beta * share * move
			common += -math.Ln2 / r.priceLife * (common - beta*wander) * dt // what stress parted comes back over weeks
			spread += math.Ln2/r.life*(side*r.spread-spread)*dt + noise*math.Sqrt(dt)*rnd.NormFloat64()
			own += -math.Ln2/8*own*dt + ownVol*busy*math.Sqrt(dt)*rnd.NormFloat64()
			a.tick(priceA())
			b.tick(priceB())
		}
		a.volume, b.volume = volume(rnd, busy), volume(rnd, busy)
		eurusd, usdjpy = append(eurusd, a), append(usdjpy, b)
	}
	return r.thin(rnd, eurusd), r.thin(rnd, usdjpy), nil
}

// regime decides whether the next hour is stressed.
func (r recipe) regime(rnd *rand.Rand, stressed bool) bool {
	if stressed {
		return rnd.Float64() >= 1/r.stress
	}
	return rnd.Float64() < 1/r.calm
}

// side decides where the spread is drawn to in the next hour.
func (r recipe) side(rnd *rand.Rand, side float64, stressed bool) float64 {
	if side != 0 {
		stay := r.calmOut
		if stressed {
			stay = r.stressOut
		}
		if rnd.Float64() < 1/stay {
			return 0
		}
		return side
	}
	if rnd.Float64() >= 1/r.centre {
		return 0
	}
	if rnd.Float64() < 0.5 {
		return -1
	}
	return 1
}

// closed reports whether the market is closed in the hour that begins at the given time in New York.
func closed(ny time.Time) bool {
	switch ny.Weekday() {
	case time.Friday:
		return ny.Hour() >= 17
	case time.Saturday:
		return true
	case time.Sunday:
		return ny.Hour() < 17
	}
	return false
}

// activity is the volatility of the hour relative to the day's: quiet nights, busy London and New York.
func activity(at time.Time) float64 {
	return 1 + 0.25*math.Sin(float64(at.Hour()-8)*math.Pi/12)
}

func volume(rnd *rand.Rand, busy float64) int {
	return max(100, min(10000, int(1500*busy*math.Exp(0.3*rnd.NormFloat64()))))
}

func begin(at time.Time, price float64) bar {
	return bar{at: at, open: price, high: price, low: price, close: price}
}

func (b *bar) tick(price float64) {
	b.high, b.low, b.close = math.Max(b.high, price), math.Min(b.low, price), price
}

// thin takes out short gaps of one or two bars, away from the weekends.
func (r recipe) thin(rnd *rand.Rand, bars []bar) []bar {
	drop := map[int]bool{}
	for range r.gaps {
		for {
			at, length := 24+rnd.IntN(len(bars)-48), 1+rnd.IntN(2)
			if clear(bars, drop, at, length) {
				for i := range length {
					drop[at+i] = true
				}
				break
			}
		}
	}
	var out []bar
	for i, b := range bars {
		if !drop[i] {
			out = append(out, b)
		}
	}
	return out
}

// clear reports whether a gap can be made at a bar: nothing else missing, and the market open, for some hours around.
func clear(bars []bar, drop map[int]bool, at, length int) bool {
	for i := at - 6; i < at+length+6; i++ {
		if drop[i] || bars[i+1].at.Sub(bars[i].at) != time.Hour {
			return false
		}
	}
	return true
}
