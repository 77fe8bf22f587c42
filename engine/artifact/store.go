package artifact

import (
	"context"

	"pipe/engine/digest"
)

// Store keeps artifacts. Every method is safe for concurrent use by many processes.
type Store interface {
	// Commit takes every regular file below dir into the store (it may move or link them: dir is spent afterwards) and
	// returns the artifact. Content that is stored already is not stored twice. A partly written artifact is never seen.
	Commit(ctx context.Context, dir string, info Info) (*Artifact, error)

	// Get returns the manifest of a stored artifact whose files are all present with the size and modification stamp
	// they were stored with; content whose stamp differs is hashed again. ErrNotFound if anything is missing or damaged
	// (errors.As with *CorruptError tells which); a damaged file is put aside so that it can be stored anew.
	Get(ctx context.Context, id digest.Digest) (*Artifact, error)

	// Materialize puts the content of f at dst, whole or not at all (temporary name, then rename), creating parent
	// directories. It verifies the content against f.Digest while doing so. dst may share storage with the store (reflink or
	// hard link) and is not to be written to.
	Materialize(ctx context.Context, f File, dst string) error

	// Lookup returns the artifact that was remembered for a fingerprint, if it is still whole; ErrNotFound otherwise.
	Lookup(ctx context.Context, fingerprint digest.Digest) (*Artifact, error)

	// Remember records that a node with this fingerprint produced this artifact. The last writer wins.
	Remember(ctx context.Context, fingerprint, id digest.Digest) error
}

// Comparer finds drift of materialised files.
type Comparer interface {
	// Same reports whether the file at path is the content of f, cheaply where it shares storage with the store. A path
	// where there is no regular file is not the same and no error.
	Same(ctx context.Context, f File, path string) (bool, error)
}

// Keeper is what a store offers for its upkeep.
type Keeper interface {
	// Sweep removes what is not reachable from the live artifact ids, or only says what it would remove when
	// apply is Preview.
	Sweep(ctx context.Context, live map[digest.Digest]struct{}, mode SweepMode) (SweepReport, error)
	// Verify hashes everything stored and returns each damaged or missing piece.
	Verify(ctx context.Context) (VerifyReport, error)
}

// SweepMode says whether Sweep removes anything.
type SweepMode int

// Preview only reports; Remove removes.
const (
	Preview SweepMode = iota
	Remove
)

// SweepReport lists what is (or would be) removed.
type SweepReport struct {
	Artifacts, Files, Fingerprints int
	Bytes                          int64
	KeptArtifacts                  int
	KeptBytes                      int64
	Removed                        []digest.Digest // artifact ids, sorted
}

// VerifyReport is the outcome of Verify.
type VerifyReport struct {
	Files, Artifacts int
	Bytes            int64
	Problems         []error
}
