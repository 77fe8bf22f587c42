package features

import (
	"math"
)

// LabelParams are the thresholds of the labels and how many bars they look ahead.
type LabelParams struct {
	ZEntry     float64 `json:"z_entry" cty:"z_entry"`         // AI1: entries have at least this |z|
	ZExit      float64 `json:"z_exit" cty:"z_exit"`           // AI1: reverted at this |z| or less
	DeltaZEMA  float64 `json:"delta_z_ema" cty:"delta_z_ema"` // AI1: entries have at most this |EMA of delta z|; AI2: a risk above
	AI1Horizon int     `json:"ai1_horizon" cty:"ai1_horizon"` // AI1: bars within which z must revert
	RhoVar     float64 `json:"rho_var" cty:"rho_var"`         // AI2: a risk above
	ATRRatio   float64 `json:"atr_ratio" cty:"atr_ratio"`     // AI2: a risk above
	Drawdown   float64 `json:"drawdown" cty:"drawdown"`       // AI2: a risk above
	AI2Horizon int     `json:"ai2_horizon" cty:"ai2_horizon"` // AI2: bars after t that count as well; 0: t alone
}

// Check refuses thresholds that can't hold.
func (l LabelParams) Check() error {
	switch {
	case !(l.ZExit >= 0):
		return badParam("z_exit", "%v is not a distance: it must be zero or more", l.ZExit)
	case !(l.ZEntry > l.ZExit):
		return badParam("z_entry", "an entry at |z| >= %v and an exit at |z| <= %v leave nothing between: z_entry must be above z_exit", l.ZEntry, l.ZExit)
	case !(l.DeltaZEMA > 0):
		return badParam("delta_z_ema", "%v is not a positive threshold", l.DeltaZEMA)
	case l.AI1Horizon < 1:
		return badParam("ai1_horizon", "%d bars leave no time to revert: at least 1 is needed", l.AI1Horizon)
	case l.AI2Horizon < 0:
		return badParam("ai2_horizon", "%d bars: it must be zero or more", l.AI2Horizon)
	}
	for _, v := range []struct {
		name string
		got  float64
	}{{"rho_var", l.RhoVar}, {"atr_ratio", l.ATRRatio}, {"drawdown", l.Drawdown}} {
		if !(v.got > 0) {
			return badParam(v.name, "%v is not a positive threshold", v.got)
		}
	}
	return nil
}

// Names of the label columns. The end of a label is the time (Unix seconds) of the last bar that decided it, so that
// purging a training set can be exact.
const (
	AI1Label, AI1End = "ai1_label", "ai1_end"
	AI2Label, AI2End = "ai2_label", "ai2_end"
)

// Label adds the label columns to a set. A label is missing where a bar is no sample (AI1), where something that it
// reads is missing, and where its horizon reaches past the last bar: also when the outcome is known already by then,
// because near the end only the outcomes that come early would be known, and a sample of them would be biased.
func Label(s *Set, l LabelParams, p Params) error {
	if err := l.Check(); err != nil {
		return err
	}
	cols := map[string][]float64{}
	for _, name := range []string{"z", "delta_z_ema", p.rhoVar(), "atr_ratio", "drawdown_recent"} {
		c, err := s.Frame.Need(name)
		if err != nil {
			return err
		}
		cols[name] = c
	}
	ai1, end1 := reversionLabel(s.Frame.Time, cols["z"], cols["delta_z_ema"], l)
	ai2, end2 := riskLabel(s.Frame.Time, riskState(cols["delta_z_ema"], cols[p.rhoVar()], cols["atr_ratio"], cols["drawdown_recent"], l), l.AI2Horizon)
	for _, c := range []column{{AI1Label, ai1}, {AI1End, end1}, {AI2Label, ai2}, {AI2End, end2}} {
		if err := s.Frame.Set(c.name, c.values); err != nil {
			return err
		}
	}
	return nil
}

// Entry reports whether a bar may open a position: |z| far enough out and no longer moving fast. Missing is no.
func (l LabelParams) Entry(z, deltaZEMA float64) bool {
	return math.Abs(z) >= l.ZEntry && math.Abs(deltaZEMA) <= l.DeltaZEMA
}

// Reverted reports whether z has come back far enough from where it stood at the entry: |z| <= ZExit was reached, or
// passed, as when z jumps from one side to the other between two bars.
func (l LabelParams) Reverted(entry, z float64) bool { return z*sign(entry) <= l.ZExit }

func reversionLabel(time []int64, z, dze []float64, l LabelParams) (label, end []float64) {
	label, end = missing(len(z)), missing(len(z))
	for t := range z {
		last := t + l.AI1Horizon
		if last >= len(z) || !l.Entry(z[t], dze[t]) {
			continue
		}
		label[t], end[t] = 0, float64(time[last])
		for k := t + 1; k <= last; k++ {
			if math.IsNaN(z[k]) {
				label[t], end[t] = math.NaN(), math.NaN()
				break
			}
			if l.Reverted(z[t], z[k]) {
				label[t], end[t] = 1, float64(time[k])
				break
			}
		}
	}
	return label, end
}

// riskState is 1 where a bar is risky in itself, 0 where it is not, and missing where something it reads is missing.
func riskState(dze, rhoVar, atrRatio, drawdown []float64, l LabelParams) []float64 {
	return each(dze, func(t int, v float64) float64 {
		if math.IsNaN(v) || math.IsNaN(rhoVar[t]) || math.IsNaN(atrRatio[t]) || math.IsNaN(drawdown[t]) {
			return math.NaN()
		}
		if rhoVar[t] > l.RhoVar || atrRatio[t] > l.ATRRatio || math.Abs(v) > l.DeltaZEMA || drawdown[t] > l.Drawdown {
			return 1
		}
		return 0
	})
}

func riskLabel(time []int64, state []float64, horizon int) (label, end []float64) {
	label, end = missing(len(state)), missing(len(state))
	for t := range state {
		last := t + horizon
		if last >= len(state) {
			continue
		}
		label[t], end[t] = 0, float64(time[last])
		for k := t; k <= last; k++ {
			if math.IsNaN(state[k]) {
				label[t], end[t] = math.NaN(), math.NaN()
				break
			}
			if state[k] == 1 {
				label[t], end[t] = 1, float64(time[k])
				break
			}
		}
	}
	return label, end
}

func missing(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}
