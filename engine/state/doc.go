// Package state holds what pipe remembers of a pipeline in one environment: the entry of every node's last success,
// with a lineage and a serial, and the interfaces of the stores that keep it. Every entry says how it came to be:
// fingerprint parts, run, plan digest, who, when, source revision. The package refuses to know how a plan is made.
package state
