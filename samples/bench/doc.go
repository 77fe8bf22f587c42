// Command bench compares what a run costs in pipe and in other tools that follow a graph, besides the work itself: the
// same graph of nodes that do next to nothing, applied for the first time, and again when nothing changed.
//
//	go build -o /tmp/pipe . && go run ./samples/bench -pipe /tmp/pipe -nodes 1000 -rounds 5
//
// Every node writes a line into a file of its own, and all but those of the first layer need the node above them. The tools
// take turns within each round, so that what else the machine does meets all of them, and the median of the rounds and its
// ratio to the first tool's are printed. Tools that are not found (ninja, task, tofu) are left out.
//
// They do not do the same: see docs/performance.md.
package main
