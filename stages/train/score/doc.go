// Package score measures predicted probabilities against outcomes.
//
// A metric that is not defined for a sample (an area under a curve where only one class occurred) is absent and has a
// reason; it is never zero and never NaN. The package refuses to know models and folds.
package score
