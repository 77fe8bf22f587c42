// Package worm is the publish type "worm": it writes one record of each publish, once, read-only, and never again:
//
//	<root>/model_publish/<YYYY>/<YYYYMM>/model_publish_<timestamp>_<id>.json
//
// A record holds the version, the checksums of its files, the plan's digest, the registry's event, and the SHA-256 of the
// record before it, with a number counted from 1. Verify walks this chain and finds every record that was changed, taken
// out of the middle, or put in. What a chain alone can't show is that its end was cut off, or that all of it was written anew; a
// node therefore also knows the records that it wrote itself, and refuses to go on when one of them is gone. Keep the last
// digest somewhere else to be sure of the rest.
//
// A record gets its name when all of it is on disk, and the name is not taken over from anything that exists. Destroying a
// pipeline leaves its records. The package refuses to know what a model is.
package worm
