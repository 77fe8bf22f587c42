// Package approval signs plans and decides whether a plan has the approvals that its policy asks for. A signature is an
// Ed25519 signature of a signed note (golang.org/x/mod/sumdb/note) over a text that names the plan by its SHA-256. The
// package knows nothing of what is in a plan, and reads no files.
package approval
