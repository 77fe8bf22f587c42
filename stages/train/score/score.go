package score

import (
	"fmt"
	"math"
	"sort"
)

// Bins is the number of equal-width bins of the calibration errors.
const Bins = 10

// Threshold turns a probability into a class for F1: positive above it.
const Threshold = 0.5

// Metrics of one set of predictions. A nil field has its reason in Missing, under the field's JSON name.
type Metrics struct {
	N         int               `json:"n"`
	Positives int               `json:"positives"`
	LogLoss   *float64          `json:"log_loss,omitempty"`
	Brier     *float64          `json:"brier,omitempty"`
	AUC       *float64          `json:"auc,omitempty"`
	PRAUC     *float64          `json:"pr_auc,omitempty"` // average precision
	F1        *float64          `json:"f1,omitempty"`
	ECE       *float64          `json:"ece,omitempty"` // mean gap between confidence and frequency, weighted by the bins' samples
	MCE       *float64          `json:"mce,omitempty"` // the largest gap of a bin that has samples
	Missing   map[string]string `json:"missing,omitempty"`
}

// Of computes the metrics of probabilities p against outcomes y (0 or 1).
func Of(p, y []float64) (Metrics, error) {
	m := Metrics{N: len(y), Missing: map[string]string{}}
	if len(p) != len(y) {
		return m, fmt.Errorf("%d probabilities for %d outcomes", len(p), len(y))
	}
	for i := range p {
		if !(p[i] >= 0 && p[i] <= 1) || y[i] != 0 && y[i] != 1 {
			return m, fmt.Errorf("sample %d has probability %v and outcome %v", i+1, p[i], y[i])
		}
		m.Positives += int(y[i])
	}
	if m.N == 0 {
		for _, name := range []string{"log_loss", "brier", "auc", "pr_auc", "f1", "ece", "mce"} {
			m.Missing[name] = "there are no samples"
		}
		return m, nil
	}
	m.LogLoss, m.Brier = ptr(logLoss(p, y)), ptr(brier(p, y))
	ece, mce := calibration(p, y)
	m.ECE, m.MCE = ptr(ece), ptr(mce)
	switch m.Positives {
	case 0:
		m.Missing["auc"], m.Missing["pr_auc"] = "all samples are negative", "all samples are negative"
	case m.N:
		m.Missing["auc"] = "all samples are positive"
		m.PRAUC = ptr(averagePrecision(p, y))
	default:
		m.AUC, m.PRAUC = ptr(rocAUC(p, y)), ptr(averagePrecision(p, y))
	}
	if f, ok := f1(p, y); ok {
		m.F1 = ptr(f)
	} else {
		m.Missing["f1"] = "no sample is positive and none is predicted to be"
	}
	return m, nil
}

// Each calls f for every metric that is present, in a fixed order.
func (m Metrics) Each(f func(name string, value float64)) {
	for _, c := range []struct {
		name  string
		value *float64
	}{{"log_loss", m.LogLoss}, {"brier", m.Brier}, {"auc", m.AUC}, {"pr_auc", m.PRAUC}, {"f1", m.F1}, {"ece", m.ECE}, {"mce", m.MCE}} {
		if c.value != nil {
			f(c.name, *c.value)
		}
	}
}

func ptr(v float64) *float64 { return &v }

// logLoss keeps probabilities a rounding error away from 0 and 1, so that one sure mistake costs 36 and not infinity.
func logLoss(p, y []float64) float64 {
	const eps = 2.220446049250313e-16
	sum := 0.0
	for i, v := range p {
		v = math.Max(eps, math.Min(1-eps, v))
		if y[i] == 1 {
			sum -= math.Log(v)
		} else {
			sum -= math.Log1p(-v)
		}
	}
	return sum / float64(len(p))
}

func brier(p, y []float64) float64 {
	sum := 0.0
	for i, v := range p {
		sum += (v - y[i]) * (v - y[i])
	}
	return sum / float64(len(p))
}

func f1(p, y []float64) (float64, bool) {
	hit, wrong := 0, 0
	for i, v := range p {
		switch predicted := v > Threshold; {
		case predicted && y[i] == 1:
			hit++
		case predicted || y[i] == 1:
			wrong++
		}
	}
	if hit+wrong == 0 {
		return 0, false
	}
	return 2 * float64(hit) / float64(2*hit+wrong), true
}

func calibration(p, y []float64) (ece, mce float64) {
	var count, confidence, positive [Bins]float64
	for i, v := range p {
		b := min(int(v*Bins), Bins-1)
		count[b]++
		confidence[b] += v
		positive[b] += y[i]
	}
	for b, n := range count {
		if n == 0 {
			continue
		}
		gap := math.Abs(confidence[b]-positive[b]) / n
		ece += gap * n / float64(len(p))
		mce = math.Max(mce, gap)
	}
	return ece, mce
}

// byScore lists the samples with the highest probability first, in groups of equal probability.
func byScore(p []float64) [][]int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return p[order[a]] > p[order[b]] })
	var groups [][]int
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && p[order[to]] == p[order[from]] {
			to++
		}
		groups = append(groups, order[from:to])
		from = to
	}
	return groups
}

// rocAUC is the chance that a positive scores above a negative, a tie counting half.
func rocAUC(p, y []float64) float64 {
	positives, negatives, won := 0.0, 0.0, 0.0
	for _, group := range byScore(p) {
		pos := 0.0
		for _, i := range group {
			pos += y[i]
		}
		neg := float64(len(group)) - pos
		won += neg * (positives + pos/2)
		positives, negatives = positives+pos, negatives+neg
	}
	return won / (positives * negatives)
}

func averagePrecision(p, y []float64) float64 {
	total, hit, seen, sum := 0.0, 0.0, 0.0, 0.0
	for _, v := range y {
		total += v
	}
	for _, group := range byScore(p) {
		pos := 0.0
		for _, i := range group {
			pos += y[i]
		}
		hit, seen = hit+pos, seen+float64(len(group))
		sum += pos / total * hit / seen
	}
	return sum
}
