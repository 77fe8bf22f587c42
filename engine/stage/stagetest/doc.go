// Package stagetest is the suite that every type of stage, input and publish target passes. A type gives it cases, and
// gets for nothing: decoding as a plan does it, also back from the canonical configuration; required and unknown
// attributes; a run in two places whose files, metrics and facts must be bit-equal and must hold no directory and no
// secret; and a run under a cancelled context.
//
//	stagetest.Run(t, Type(), stagetest.Case{
//		Name:      "doubles",
//		Config:    `source = stage.bars`,
//		Upstreams: map[string]stagetest.Upstream{"stage.bars": stagetest.Table("bars.csv", "close\n1\n", 1)},
//		Check:     func(t *testing.T, r stagetest.Result) { r.File(t, "data.csv") … },
//	})
//
// The package refuses to know about graphs, plans and stores.
package stagetest
