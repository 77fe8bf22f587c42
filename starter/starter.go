// Package starter holds what pipe init writes: a plan file with its data that plan and apply take as they stand. It
// refuses to know how they are written.
package starter

import "embed"

// FS holds the files, named as they are written.
//
//go:embed pipe.hcl data
var FS embed.FS
