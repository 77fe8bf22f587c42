// Package features computes the features and labels of a pair of FX legs, or of one symbol, from bars.
//
// # Causality
//
// A feature at bar t reads bars up to and including t and nothing later; the tests change and remove the future and
// compare bits. For the same reason features are written unscaled: a scaler that is fitted here would have seen bars
// that a later cross-validation treats as unseen. The schema says how columns are to be scaled (robust: median and
// MAD, clipped to [-5, 5]); the trainer fits the scalers on the training rows of each fold, and those of the final
// model on all of its training rows, and adds them to the schema that goes with the model.
//
// # Definitions
//
// The legs are joined on equal timestamps. With a = log close of leg A and b = log close of leg B:
//
//	beta, alpha     least squares of a on b over beta_window bars
//	spread          a - alpha - beta b, each bar with its own coefficients
//	z               (spread - mean) / sample standard deviation, over z_window bars
//	delta_z         change of z from the bar before
//	z_ema           exponential average of z (z_ema_span)
//	delta_z_ema     exponential average of delta_z (z_ema_span): what the labels call the EMA of delta z
//	atr_a, atr_b    Wilder's average true range, in price units
//	atr_ratio       (atr_a / close A) / (atr_b / close B), so that legs of any quotation compare
//	rho_180         correlation of the legs' log returns over rho_window bars (the name carries the window)
//	rho_var_180     sample variance of rho_180 over the same number of bars
//	beta_stability  1 / (1 + s/|m|), s and m the standard deviation and mean of beta over stability_window bars
//	half_life       of the spread, from an AR(1) fit over half_life_window bars, within [0, window]
//	path            running sum of (change of a) - beta (one bar old) x (change of b): what a holder of one unit earns
//	ema_gap         EMA(ema_fast) - EMA(ema_slow) of path
//	slope           least-squares slope of path over slope_window bars
//	rsi             Wilder's RSI of path
//	drawdown_recent the larger of the losses, from the best moment within drawdown_window bars, of a long and of a short
//	                holder of path: a position in the spread may be either
//
// A linear model can't see that z = 2 and z = -2 are the same situation mirrored, so five columns are derived from the
// above: abs_z, abs_delta_z_ema, and delta_z_side, ema_gap_side, slope_side, which are multiplied by the sign of z.
//
// One symbol that carries z, rho_var_180 and atr_ratio has those columns used as they are; path is then the log close,
// half_life is that of z, and what needs a second leg is left out.
//
// The package refuses to know models, thresholds of trading and profit.
package features
