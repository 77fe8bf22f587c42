// Package sim simulates trading a spread of two legs (or one leg alone) on bars, and measures the result.
//
// # Time
//
// Bars are named by their start. A signal is read at the close of bar t and filled at the open of bar t+1 (+ latency).
// What is decided at bar t reads bars and scores up to t and nothing later.
//
// # Rules
//
// Enter, when flat: |z| >= z_entry and |EMA of delta z| <= delta_z_ema (the entry rule of AI1), return_prob > theta1 and
// risk_score < theta2. A high z sells the spread, a low one buys it. One position at a time.
//
// Exit, in this order: z has come back to z_exit or passed it ("target"); return_prob is below theta_stop, that is, the
// model no longer believes in the reversion ("stop"); max_bars bars were held ("max_bars"). What is open at the last
// bar is closed at its close ("end").
//
// Size: leverage times equity is the gross notional, split 1 : |beta| between A and B. A is rounded down to its lot step
// and B to its step nearest to beta times A, so that the hedge is off by half a step at most. A trade with a leg below
// its smallest lot is skipped and counted.
//
// Profit of a leg is that of its lots in the account's currency: for a symbol quoted in it, lots x value x change of
// price; for a symbol based on it, the profit in the quote currency turned back at the price of the moment.
//
// Costs: basis points of the notional that changes hands, on every fill of every leg.
//
// The package refuses to know models, files and where scores come from. It must be given out-of-fold scores only.
package sim
