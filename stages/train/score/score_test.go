package score_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"pipe/stages/features/oracletest"
	"pipe/stages/train/score"
)

func TestAgainstScikitLearn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p, y := make(oracletest.Series, 500), make(oracletest.Series, 500)
	for i := range p {
		p[i] = math.Round(100*r.Float64()) / 100 // with ties, zeros and ones
		if r.Float64() < 0.1+0.7*p[i] {
			y[i] = 1
		}
	}
	m, err := score.Of(p, y)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]float64
	oracletest.Run(t, `
from sklearn.metrics import *
p, y = arg["p"], arg["y"].astype(int)
bins = np.minimum((p*10).astype(int), 9)
gap = [(np.sum(bins == b), abs(p[bins == b].mean() - y[bins == b].mean())) for b in range(10) if np.any(bins == b)]
reply({"log_loss": log_loss(y, p), "brier": brier_score_loss(y, p), "auc": roc_auc_score(y, p), "pr_auc": average_precision_score(y, p),
 "f1": f1_score(y, p > 0.5), "ece": sum(n*g for n, g in gap)/len(p), "mce": max(g for n, g in gap)})`,
		map[string]any{"p": p, "y": y}, &want)
	got := map[string]float64{}
	m.Each(func(name string, v float64) { got[name] = v })
	if len(got) != 7 || len(want) != 7 {
		t.Fatalf("got %v, the oracle %v", got, want)
	}
	for name, w := range want {
		if math.Abs(got[name]-w) > 1e-12 {
			t.Errorf("%s is %.15g, the oracle has %.15g", name, got[name], w)
		}
	}
}

func TestWhatIsUndefinedIsAbsentWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		p, y   []float64
		absent []string
	}{
		"no samples":                    {nil, nil, []string{"log_loss", "brier", "auc", "pr_auc", "f1", "ece", "mce"}},
		"negatives alone, none flagged": {[]float64{0.1, 0.2}, []float64{0, 0}, []string{"auc", "pr_auc", "f1"}},
		"negatives alone, one flagged":  {[]float64{0.1, 0.9}, []float64{0, 0}, []string{"auc", "pr_auc"}},
		"positives alone":               {[]float64{0.1, 0.2}, []float64{1, 1}, []string{"auc"}},
		"both":                          {[]float64{0.1, 0.2}, []float64{0, 1}, nil},
	} {
		m, err := score.Of(c.p, c.y)
		if err != nil {
			t.Fatal(err)
		}
		present := map[string]bool{}
		m.Each(func(name string, v float64) {
			present[name] = true
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s: %s is %v", name, m.Missing, v)
			}
		})
		if len(present)+len(c.absent) != 7 || len(m.Missing) != len(c.absent) {
			t.Errorf("%s: present %v, missing %v", name, present, m.Missing)
		}
		for _, a := range c.absent {
			if present[a] || m.Missing[a] == "" {
				t.Errorf("%s: %s should be absent with a reason: %v", name, a, m.Missing)
			}
		}
		if _, err := json.Marshal(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusesWhatIsNoProbability(t *testing.T) {
	for _, c := range [][2][]float64{{{1.1}, {1}}, {{math.NaN()}, {1}}, {{0.5}, {2}}, {{0.5}, {}}} {
		if _, err := score.Of(c[0], c[1]); err == nil {
			t.Errorf("%v was accepted", c)
		}
	}
}
