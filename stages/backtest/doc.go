// Package backtest is the stage that trades a model's out-of-fold predictions on the bars that its features came from. The
// simulation itself is package sim. It refuses predictions that are not out of fold: it reads no model.
package backtest
