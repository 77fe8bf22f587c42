package features_test

import (
	"math"
	"testing"

	"pipe/stages/features"
	"pipe/stages/features/oracletest"
)

func realistic() features.Params {
	return features.Params{BetaWindow: 480, ZWindow: 120, ZEMASpan: 24, StabilityWindow: 120, HalfLifeWindow: 240, DrawdownWindow: 120,
		ATRPeriod: 14, RhoWindow: 180, EMAFast: 12, EMASlow: 26, SlopeWindow: 20, RSIPeriod: 14}
}

// TestRealBars computes nine years of GBPUSD against AUDUSD: everything past the warm-up is present and finite, and
// within the bounds that its definition sets.
func TestRealBars(t *testing.T) {
	a, b, al, err := features.Align(oracletest.Real(t, "GBPUSD"), oracletest.Real(t, "AUDUSD"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := features.Pair(a, b, realistic())
	if err != nil {
		t.Fatal(err)
	}
	if err := features.Label(set, page(), realistic()); err != nil {
		t.Fatal(err)
	}
	report, err := features.NewReport(set, al, a, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("joined %d, complete %d, AI1 %+v, AI2 %+v, outliers %.4f, spikes %.4f, missing %.4f", al.Joined, report.Complete, report.AI1,
		report.AI2, report.OutlierShare, report.SpikeShare, report.MissingShare)
	if al.Joined < 57000 || report.Complete+report.WarmUp != report.Rows {
		t.Errorf("%d rows joined, %d complete, %d before the first complete one", al.Joined, report.Complete, report.WarmUp)
	}
	bounds := map[string][2]float64{"rsi": {0, 100}, "rho_180": {-1, 1}, "beta_stability": {0, 1}, "half_life": {0, 240},
		"drawdown_recent": {0, 1}, "rho_var_180": {0, 1}, "atr_ratio": {0, 10}, "z": {-11, 11}}
	for _, name := range set.Features {
		values, _ := set.Frame.Col(name)
		limit, bounded := bounds[name]
		for i := report.WarmUp; i < len(values); i++ {
			if v := values[i]; math.IsInf(v, 0) || bounded && (v < limit[0] || v > limit[1]) {
				t.Fatalf("%s[%d] = %v", name, i, v)
			}
		}
	}
}

func BenchmarkPair(b *testing.B) {
	x, y, _, err := features.Align(oracletest.Real(b, "GBPUSD"), oracletest.Real(b, "AUDUSD"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		set, err := features.Pair(x, y, realistic())
		if err != nil {
			b.Fatal(err)
		}
		if err := features.Label(set, page(), realistic()); err != nil {
			b.Fatal(err)
		}
	}
}
