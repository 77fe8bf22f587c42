// Command generate writes the larger sample: a year of hourly bars of EURUSD and USDJPY, made up.
//
//	go run ./samples/generate            # writes samples/data/EURUSD_1h.csv and USDJPY_1h.csv
//	go run ./samples/generate -dir /tmp  # elsewhere
//
// The market is simulated from a fixed seed, so that every run writes the same bytes. It is wilder than the real one,
// on purpose: the costs of the sample's cost table (23 basis points on each of four fills) would eat the few basis points
// that hourly FX gives back. Nothing about real markets can be learnt from it.
//
// What is in it: log EURUSD = c - 0.8 log USDJPY + spread. USDJPY wanders and is drawn back over weeks. The spread is drawn
// to its centre, and now and then to one of two places far out: for hours in a calm regime, for days in a stressed one,
// in which EURUSD also moves on its own and the legs' common movement weakens. Bars follow the FX week (none from Friday
// 17:00 to Sunday 17:00 in New York), volume follows the hours, and each leg lacks a few bars, never more than two in a
// row.
package main
