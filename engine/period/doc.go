// Package period reads calendar periods in the keys of instances: days 2025-01-31, ISO weeks 2025-W05 and months 2025-01,
// also as part of a key, as in EURUSD/2025-01. It knows which periods follow each other and how to say many in few words.
// It refuses to know what a key stands for.
package period
