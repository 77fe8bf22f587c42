package train

import (
	"fmt"
	"strings"
)

// card is model_card.md.
func (r *Result) card(version string) string {
	var b strings.Builder
	l := r.Schema.Thresholds
	fmt.Fprintf(&b, "# Model %s\n\n", version)
	fmt.Fprintf(&b, "Pair reversion models for %s, trained on bars up to %s.\n\n", strings.Join(r.Schema.Symbols, " and "), stamp(r.AsOf))
	b.WriteString("## What it estimates\n\n")
	fmt.Fprintf(&b, "- **AI1, return_prob**: the probability that |z| falls to %v within %d bars, at bars with |z| of at least %v and |EMA of delta z| of at most %v.\n",
		l.ZExit, l.AI1Horizon, l.ZEntry, l.DeltaZEMA)
	within := "at the bar itself"
	if l.AI2Horizon > 0 {
		within = fmt.Sprintf("at the bar or one of the %d after it", l.AI2Horizon)
	}
	fmt.Fprintf(&b, "- **AI2, risk_score**: the probability that, %s, the variance of rho exceeds %v, the ATR ratio %v, |EMA of delta z| %v, or the recent drawdown %v.\n\n",
		within, l.RhoVar, l.ATRRatio, l.DeltaZEMA, l.Drawdown)
	fmt.Fprintf(&b, "A position is proposed where return_prob > %v and risk_score < %v.\n\n", r.settings.Theta1, r.settings.Theta2)
	b.WriteString("## How it was made\n\n")
	fmt.Fprintf(&b, "L2 logistic regression on %d features, scaled by median and MAD and clipped to [-%v, %v]; isotonic calibration on out-of-fold predictions.\n\n",
		len(r.Schema.Columns), r.Schema.Scaling.Clip, r.Schema.Scaling.Clip)
	for i, m := range []Model{r.AI1, r.AI2} {
		f := r.Report.Models[i].Final
		state := "converged"
		if !f.Converged {
			state = "did NOT converge: raise epochs or l2"
		}
		fmt.Fprintf(&b, "- %s: %d samples, %d positive, %s to %s; class weights %.3g : %.3g; %d iterations, %s; calibration: %s.\n",
			strings.ToUpper(m.Name), f.Train.Rows, f.Train.Positives, f.Train.From, f.Train.To, m.ClassWeights.Negative, m.ClassWeights.Positive,
			f.Iterations, state, f.Calibration)
	}
	cv := r.Report.CV
	fmt.Fprintf(&b, "\n## How it did out of sample\n\n%s, %d folds, purge %d, embargo %d bars. Calibrated out-of-fold predictions:\n\n", cv.Scheme, cv.Folds, cv.Purge, cv.Embargo)
	b.WriteString("| model | fold | samples | positives | log loss | Brier | AUC | PR-AUC | F1 | ECE | MCE | note |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, s := range r.Report.Models {
		for _, f := range s.Folds {
			b.WriteString(row(s.Model, fmt.Sprint(f.Fold), f))
		}
		b.WriteString(row(s.Model, "pooled", FoldScores{Metrics: s.Pooled}))
	}
	b.WriteString("\n## Limits\n\n")
	b.WriteString("- Probabilities hold for the pair, timeframe and kind of market that the data show; nothing here says how they fare elsewhere.\n")
	b.WriteString("- The final models are fitted on all rows. The figures above are those of the folds' models, which saw less.\n")
	b.WriteString("- A metric that is missing was not defined for its samples; it is not zero.\n")
	return b.String()
}

func row(model, fold string, f FoldScores) string {
	m := f.Metrics
	cell := func(v *float64) string {
		if v == nil {
			return "missing"
		}
		return fmt.Sprintf("%.4f", *v)
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", strings.ToUpper(model), fold, m.N, m.Positives,
		cell(m.LogLoss), cell(m.Brier), cell(m.AUC), cell(m.PRAUC), cell(m.F1), cell(m.ECE), cell(m.MCE), f.Reason)
}
