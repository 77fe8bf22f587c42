// Package graph puts the nodes of a pipeline into their one order: topological, ties broken by address, so that equal
// pipelines give equal plans on every machine. It finds cycles, closures and selections. It refuses to know about state
// and runs.
package graph
