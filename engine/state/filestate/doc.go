// Package filestate keeps the state of a pipeline in files, for one environment, below <dir>/<pipeline>/<environment>:
//
//	state.json     the snapshot: sorted keys, one field of an entry a line, a checksum in its first field
//	commits.jsonl  what was written since state.json was, one write a line, appended
//	history/       earlier snapshots: the last serials, and the last one of each of the last leases
//	lock           flock of the lease, and who holds it
//	write          flock around every single write, taken only for its moment
//	journal.jsonl  effects outside, one record a line, appended
//	outbox.jsonl   messages to notifiers, likewise
//	audit.jsonl    the audit log, appended only
//
// A run writes state.json when it begins and when it ends, and in between appends what changed to commits.jsonl, so that a
// write costs the same however large the state is. Each commit names the checksum of the state.json that it stands on, so
// that one that was folded into a newer state.json says nothing any more. After a crash the commits are read with the
// state, and folded by the next lease's first write.
//
// Reading takes no lock: state.json is only ever replaced by a whole file. The lease is a flock, which the kernel frees
// however its holder ends. A lease can be broken; then the lock file is replaced, and the old holder finds at its next
// write that its lock is on a file that has no name any more. That look and the write lie within the second lock, which
// breaking takes too: a holder that is paused between them is waited for and never overtaken.
//
// The package refuses to know what the entries mean and when they are written.
package filestate
