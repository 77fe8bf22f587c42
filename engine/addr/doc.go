// Package addr names the nodes of a pipeline: input.raw, stage.bars, stage.bars["2025-01"], publish.core, notify.ops, and
// inside modules module.a.stage.bars, module.a["k"].module.b.stage.bars. An address is a comparable value with exactly one
// spelling. The package refuses to know what a node does.
package addr
