// Package release holds what every publish type does the same way: which version an artifact has, how an effect is done
// once although versions come back, and the receipt that a publish leaves as its own artifact.
//
// A receipt is a function of what was published and where: it holds no clock, no run and no plan, so that equal inputs
// give bit-equal receipts and a repeated publish cuts off what is below it. What is peculiar to one run (when, by whom,
// under which plan) stands in the effect itself: the registry's row, the record, the metadata of the checksums.
//
// The package refuses to know how anything is published.
package release
