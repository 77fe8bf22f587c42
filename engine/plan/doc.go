// Package plan computes the proposed changes: graph + snapshot + observations -> Plan. Build is pure: no context, no
// input or output, no clock; equal inputs give equal bytes on every machine. A Plan is plain data that an executor can
// carry out without the plan files. The package refuses to run anything.
package plan
