// Package artifact holds what nodes produce: immutable sets of files, named by the SHA-256 of their content, and the
// Store that keeps them with a cache from fingerprints to artifacts. It refuses to know what is in the files and which
// node made them.
package artifact
