package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/graph"
)

// Dot writes a graph in the language of Graphviz. Arrows point the way data flows.
func Dot(w io.Writer, g *graph.Graph) {
	fmt.Fprintln(w, "digraph pipeline {\n  rankdir = LR\n  node [fontname = \"sans-serif\"]")
	for i := range g.Len() {
		n := g.Node(i)
		fmt.Fprintf(w, "  %s [label = %s, shape = %s]\n", strconv.Quote(n.Addr.String()),
			strconv.Quote(n.Addr.String()+"\n"+n.Type.Name()), shape(n.Addr.Kind))
	}
	for i := range g.Len() {
		for _, u := range g.Up(i) {
			style := ""
			if !carriesData(g, u, i) {
				style = " [style = dashed]"
			}
			fmt.Fprintf(w, "  %s -> %s%s\n", strconv.Quote(g.Node(u).Addr.String()), strconv.Quote(g.Node(i).Addr.String()), style)
		}
	}
	fmt.Fprintln(w, "}")
}

func shape(k addr.Kind) string {
	switch k {
	case addr.Input:
		return "cylinder"
	case addr.Publish:
		return "house"
	}
	return "box"
}

// carriesData reports whether node i reads what node u makes, or only waits for it.
func carriesData(g *graph.Graph, u, i int) bool {
	for _, e := range g.Node(i).Inputs {
		if e.Addr == g.Node(u).Addr {
			return true
		}
	}
	return false
}

// Mermaid writes a graph in the language of Mermaid.
func Mermaid(w io.Writer, g *graph.Graph) {
	fmt.Fprintln(w, "flowchart LR")
	for i := range g.Len() {
		n := g.Node(i)
		label := strings.ReplaceAll(n.Addr.String(), `"`, "#quot;") + "<br/>" + n.Type.Name()
		left, right := "[", "]"
		switch n.Addr.Kind {
		case addr.Input:
			left, right = "[(", ")]"
		case addr.Publish:
			left, right = "[/", `\]`
		}
		fmt.Fprintf(w, "  n%d%s\"%s\"%s\n", i, left, label, right)
	}
	for i := range g.Len() {
		for _, u := range g.Up(i) {
			arrow := "-->"
			if !carriesData(g, u, i) {
				arrow = "-.->"
			}
			fmt.Fprintf(w, "  n%d %s n%d\n", u, arrow, i)
		}
	}
}

// GraphJSON writes a graph as JSON: nodes in their order, and edges.
func GraphJSON(w io.Writer, g *graph.Graph) error {
	type node struct {
		Address addr.Addr `json:"address"`
		Kind    addr.Kind `json:"kind"`
		Type    string    `json:"type"`
	}
	type edge struct {
		From  addr.Addr `json:"from"`
		To    addr.Addr `json:"to"`
		Label string    `json:"label,omitempty"` // of the input; none for an edge without data
	}
	out := struct {
		Nodes []node `json:"nodes"`
		Edges []edge `json:"edges"`
	}{[]node{}, []edge{}}
	for i := range g.Len() {
		n := g.Node(i)
		out.Nodes = append(out.Nodes, node{n.Addr, n.Addr.Kind, n.Type.Name()})
		for _, e := range n.Inputs {
			out.Edges = append(out.Edges, edge{e.Addr, n.Addr, e.Label})
		}
		for _, a := range n.DependsOn {
			out.Edges = append(out.Edges, edge{From: a, To: n.Addr})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
