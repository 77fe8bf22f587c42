// Package isotonic fits a non-decreasing function of a score to outcomes, by pooling adjacent violators.
//
// It refuses to know where the scores come from; the caller must pass scores of samples that the scorer was not
// trained on, or the calibration would repeat the scorer's confidence instead of correcting it.
package isotonic
