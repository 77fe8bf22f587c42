package graph_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/graph"
)

func node(name string, from ...string) *config.Node {
	n := &config.Node{Addr: addr.New(addr.Stage, name)}
	for _, f := range from {
		n.Inputs = append(n.Inputs, config.Edge{Label: f, Addr: addr.New(addr.Stage, f)})
	}
	return n
}

func names(g *graph.Graph) string {
	var list []string
	for i := range g.Len() {
		list = append(list, g.Node(i).Addr.Name)
	}
	return strings.Join(list, " ")
}

func TestOrderIsTopologicalThenByAddress(t *testing.T) {
	g, diags := graph.Build(&config.Pipeline{Nodes: []*config.Node{node("d", "b"), node("c"), node("b", "c"), node("a")}})
	if diags.HasErrors() || names(g) != "a c b d" {
		t.Errorf("%s, %v", names(g), diags)
	}
}

func TestOrderDoesNotDependOnTheOrderOfBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var nodes []*config.Node
		for i := range 1 + r.IntN(15) {
			var from []string
			for u := range i {
				if r.IntN(4) == 0 {
					from = append(from, fmt.Sprintf("n%02d", u))
				}
			}
			nodes = append(nodes, node(fmt.Sprintf("n%02d", i), from...))
		}
		g, _ := graph.Build(&config.Pipeline{Nodes: nodes})
		want := names(g)
		r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		g, _ = graph.Build(&config.Pipeline{Nodes: nodes})
		if names(g) != want {
			t.Fatalf("%s and %s", want, names(g))
		}
		for i := range g.Len() {
			for _, u := range g.Up(i) {
				if u >= i {
					t.Fatalf("%s stands before %s, which it reads", g.Node(i).Addr, g.Node(u).Addr)
				}
			}
		}
	}
}

func TestCycleNamesAllEdges(t *testing.T) {
	_, diags := graph.Build(&config.Pipeline{Nodes: []*config.Node{node("x", "b"), node("b", "c"), node("c", "d"), node("d", "b"), node("free")}})
	want := "These nodes wait for each other, so none of them can ever run:\n  stage.b reads stage.c\n  stage.c reads stage.d\n  stage.d reads stage.b\nRemove one of these references."
	if len(diags) != 1 || diags[0].Detail != want {
		t.Errorf("%v", diags)
	}
	_, diags = graph.Build(&config.Pipeline{Nodes: []*config.Node{node("self", "self")}})
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, "stage.self reads stage.self") {
		t.Errorf("%v", diags)
	}
}

func TestClosuresAndMatch(t *testing.T) {
	keyed := node("k", "a")
	keyed.Addr = keyed.Addr.Instance("1")
	g, _ := graph.Build(&config.Pipeline{Nodes: []*config.Node{node("a"), node("b", "a"), node("c", "b"), node("z"), keyed}})
	at := func(name string) int { i, _ := g.Index(addr.New(addr.Stage, name)); return i }
	if up := g.Upstream([]int{at("c")}); len(up) != 3 || up[at("z")] {
		t.Errorf("upstream %v", up)
	}
	if down := g.Downstream([]int{at("a")}); len(down) != 4 || down[at("z")] {
		t.Errorf("downstream %v", down)
	}
	places, missing := g.Match([]addr.Addr{addr.New(addr.Stage, "k"), addr.New(addr.Stage, "none")})
	if len(places) != 1 || g.Node(places[0]).Addr != keyed.Addr || len(missing) != 1 {
		t.Errorf("match %v %v", places, missing)
	}
}
