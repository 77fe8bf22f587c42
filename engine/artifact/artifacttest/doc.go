// Package artifacttest is the one suite that every artifact.Store passes, with real storage and real processes: equal
// content, many writers, damage, drift, upkeep, and kill -9 in the middle of a Commit. The test binary of a store calls
// Main from its TestMain, because it is started again as the processes that are killed. The package refuses to know
// how a store keeps its content; what it must know to damage it, Backend says.
package artifacttest
