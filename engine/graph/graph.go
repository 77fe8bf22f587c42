package graph

import (
	"container/heap"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/diag"
)

// Graph is the immutable order of a pipeline's nodes.
type Graph struct {
	nodes []*config.Node
	index map[addr.Addr]int
	up    [][]int // sorted
	down  [][]int // sorted
}

// Build orders the pipeline's nodes. A cycle is a diagnostic that names all of its edges.
func Build(p *config.Pipeline) (*Graph, hcl.Diagnostics) {
	byAddr := make(map[addr.Addr]int, len(p.Nodes))
	for i, n := range p.Nodes {
		byAddr[n.Addr] = i
	}
	up := make([][]int, len(p.Nodes))
	down := make([][]int, len(p.Nodes))
	for i, n := range p.Nodes {
		up[i] = upstreams(n, byAddr)
		for _, u := range up[i] {
			down[u] = append(down[u], i)
		}
	}
	order := sortTopological(p.Nodes, up, down)
	if len(order) < len(p.Nodes) {
		return nil, hcl.Diagnostics{cycleDiagnostic(p.Nodes, up, order)}
	}
	return renumber(p.Nodes, order, up, down), nil
}

func upstreams(n *config.Node, byAddr map[addr.Addr]int) []int {
	var list []int
	for _, e := range n.Inputs {
		if u, ok := byAddr[e.Addr]; ok {
			list = append(list, u)
		}
	}
	for _, a := range n.DependsOn {
		if u, ok := byAddr[a]; ok {
			list = append(list, u)
		}
	}
	return sortedUnique(list)
}

func sortedUnique(list []int) []int {
	sort.Ints(list)
	out := list[:0]
	for i, x := range list {
		if i == 0 || x != list[i-1] {
			out = append(out, x)
		}
	}
	return out
}

// sortTopological is Kahn's algorithm with a heap over addresses; nodes on cycles are left out.
func sortTopological(nodes []*config.Node, up, down [][]int) []int {
	waiting := make([]int, len(nodes))
	ready := &byAddress{nodes: nodes}
	for i := range nodes {
		waiting[i] = len(up[i])
		if waiting[i] == 0 {
			ready.list = append(ready.list, i)
		}
	}
	heap.Init(ready)
	order := make([]int, 0, len(nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		order = append(order, i)
		for _, d := range down[i] {
			if waiting[d]--; waiting[d] == 0 {
				heap.Push(ready, d)
			}
		}
	}
	return order
}

type byAddress struct {
	nodes []*config.Node
	list  []int
}

func (h *byAddress) Len() int { return len(h.list) }
func (h *byAddress) Less(i, j int) bool {
	return h.nodes[h.list[i]].Addr.Compare(h.nodes[h.list[j]].Addr) < 0
}
func (h *byAddress) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *byAddress) Push(x any)    { h.list = append(h.list, x.(int)) }
func (h *byAddress) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

func renumber(nodes []*config.Node, order []int, up, down [][]int) *Graph {
	g := &Graph{nodes: make([]*config.Node, len(order)), index: make(map[addr.Addr]int, len(order)),
		up: make([][]int, len(order)), down: make([][]int, len(order))}
	place := make([]int, len(order))
	for to, from := range order {
		place[from] = to
	}
	translate := func(list []int) []int {
		out := make([]int, len(list))
		for i, x := range list {
			out[i] = place[x]
		}
		sort.Ints(out)
		return out
	}
	for to, from := range order {
		g.nodes[to] = nodes[from]
		g.index[nodes[from].Addr] = to
		g.up[to], g.down[to] = translate(up[from]), translate(down[from])
	}
	return g
}

// cycleDiagnostic walks upstream from an unordered node until it meets itself.
func cycleDiagnostic(nodes []*config.Node, up [][]int, order []int) *hcl.Diagnostic {
	done := make([]bool, len(nodes))
	for _, i := range order {
		done[i] = true
	}
	start := 0
	for done[start] {
		start++
	}
	seen := map[int]int{}
	var path []int
	for i := start; ; {
		if at, ok := seen[i]; ok {
			path = path[at:]
			break
		}
		seen[i] = len(path)
		path = append(path, i)
		for _, u := range up[i] {
			if !done[u] {
				i = u
				break
			}
		}
	}
	least := 0
	for i := range path {
		if nodes[path[i]].Addr.Compare(nodes[path[least]].Addr) < 0 {
			least = i
		}
	}
	path = append(path[least:len(path):len(path)], path[:least]...)
	edges := make([]string, len(path))
	for i, n := range path {
		next := nodes[path[(i+1)%len(path)]]
		edges[i] = fmt.Sprintf("  %s reads %s", nodes[n].Addr, next.Addr)
	}
	first := nodes[path[0]]
	return diag.Error("graph.cycle", first.Range.Ptr(), "Cycle",
		"These nodes wait for each other, so none of them can ever run:\n%s\nRemove one of these references.",
		strings.Join(edges, "\n"))
}

// Len returns the number of nodes.
func (g *Graph) Len() int { return len(g.nodes) }

// Node returns the node at place i of the order.
func (g *Graph) Node(i int) *config.Node { return g.nodes[i] }

// Index returns the place of an address.
func (g *Graph) Index(a addr.Addr) (int, bool) { i, ok := g.index[a]; return i, ok }

// Up returns the places that node i waits for, ascending. The slice must not be changed.
func (g *Graph) Up(i int) []int { return g.up[i] }

// Down returns the places that wait for node i, ascending. The slice must not be changed.
func (g *Graph) Down(i int) []int { return g.down[i] }

// Match returns the places of all nodes that one of the addresses names; an address without a key names every
// instance, that of a module all nodes in it. An address that names nothing is returned in missing.
func (g *Graph) Match(addrs []addr.Addr) (places []int, missing []addr.Addr) {
	for _, a := range addrs {
		found := false
		for i, n := range g.nodes {
			if a.Covers(n.Addr) {
				places, found = append(places, i), true
			}
		}
		if !found {
			missing = append(missing, a)
		}
	}
	return sortedUnique(places), missing
}

// Upstream returns a set of the given places and all that they wait for, directly or not.
func (g *Graph) Upstream(places []int) map[int]bool { return closure(places, g.up) }

// Downstream returns a set of the given places and all that waits for them, directly or not.
func (g *Graph) Downstream(places []int) map[int]bool { return closure(places, g.down) }

func closure(places []int, edges [][]int) map[int]bool {
	set := make(map[int]bool, len(places))
	stack := append([]int(nil), places...)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if set[i] {
			continue
		}
		set[i] = true
		stack = append(stack, edges[i]...)
	}
	return set
}
