// Package engine is the one place where the phases of pipe meet.
//
// The flow is one line of plain values; each arrow is one function and nothing reads backwards:
//
//	plan files --config.Decode--> Pipeline --graph.Build--> Graph --Observe--> Observations
//	Graph + Snapshot + Observations --plan.Build--> Plan --apply.Executor--> artifacts + entries --> Run
//
// The package refuses to know what any type of stage does: types come in through a stage.Registry, the expectation
// engine through a check.Evaluator. It builds without cgo and without network clients.
package engine
