// Package statetest is the one suite that every state.Store passes, with real storage and real processes: the lease
// across processes, its loss, lost updates, serials, the journal of effects and the outbox under kill -9. The test
// binary of a store calls Main from its TestMain, because it is started again as the processes that are killed. The
// package refuses to know how a store keeps its state.
package statetest
