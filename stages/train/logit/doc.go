// Package logit fits L2-regularised logistic regression by L-BFGS.
//
// The objective is the weighted mean log loss plus L2/2 times the squared length of the weights; the intercept is not
// penalised. (In scikit-learn's terms, C = 1 / (L2 x sum of the sample weights).) Sums run over the samples in their
// order, in one goroutine, so that equal inputs give equal bits.
//
// The package refuses to know what the columns mean, how they were scaled and what the scores are used for.
package logit
