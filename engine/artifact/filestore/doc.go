// Package filestore keeps artifacts in a directory of a local file system. Its layout, below <dir>/v1:
//
//	blobs/ab/<hex>      the files of artifacts, named by the SHA-256 of their content
//	manifests/ab/<hex>  the canonical JSON of an artifact, named by its digest
//	cache/ab/<hex>      which artifact a fingerprint gave
//	tmp/                what is being written; whoever can lock the store alone may empty it
//	damaged/            what no longer had the content that its name promises
//	lock                flock: shared while something is stored, exclusive while the store is swept
//
// Every file gets its final name only when it is whole and on disk. A blob is read-only and carries one fixed
// modification time; whoever writes to it in place, such as through a hard link that was materialised, changes that
// time. So one lstat tells that a blob is most probably whole, and it is hashed again when the time differs, when its
// content leaves the store, and by Verify.
//
// The package refuses to know what is in the files and which node made them. It creates nothing before the first write,
// so that planning leaves no trace.
package filestore
