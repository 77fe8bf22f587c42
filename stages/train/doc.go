// Package train fits the two models of the FX library and measures them out of sample.
//
// AI1 estimates return_prob, the probability that a spread reverts; AI2 estimates risk_score, the probability that a
// bar is risky. Both are L2 logistic regressions on robustly scaled features, fitted by L-BFGS: `epochs` is the
// largest number of its iterations, and `learning_rate` the length of the gradient-descent step that it starts from,
// which at convergence makes no difference to the weights.
//
// # What sees what
//
// In every fold the scalers and the models are fitted on training rows alone, and the training labels end before the
// validation block begins (package fold). Isotonic calibration is fitted on validation predictions only: that of a
// fold on those predictions of other folds whose rows the fold may train on, which in walk-forward means earlier ones
// whose labels were known by then. The first fold of a walk-forward has none and keeps its raw probabilities. All
// metrics are of such out-of-fold predictions, and a backtest must use no others. The final models are fitted on all
// rows, with the scalers that go into feature_schema.json, and calibrated on all out-of-fold predictions.
//
// AI2's rarer class is weighted up to balance the other, at most fivefold.
//
// The package refuses to know prices, positions and profit.
package train
