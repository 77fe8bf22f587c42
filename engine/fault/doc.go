// Package fault holds the fault-injection points of pipe: places at which a process can be told to die as if killed, so
// that crash tests are real. PIPE_FAULT=after-put:3 kills the process at the third time it passes after-put.
package fault
