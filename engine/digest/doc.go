// Package digest names content by its SHA-256, in one spelling: "sha256:" and 64 hexadecimal digits. It has the one
// canonical JSON encoding that every digest of a value in pipe is taken over. It knows nothing of what is hashed.
package digest
