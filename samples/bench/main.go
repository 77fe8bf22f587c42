package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tool is one program under comparison.
type tool struct {
	name    string
	path    string
	write   func(dir string) error
	prepare []string // run once, not timed
	apply   []string // run first, and again when nothing changed
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	pipe := flag.String("pipe", "pipe", "the pipe program")
	nodes := flag.Int("nodes", 1000, "nodes of the graph")
	layers := flag.Int("layers", 10, "layers of the graph: a node needs one of the layer above")
	rounds := flag.Int("rounds", 5, "rounds; the medians are printed")
	dir := flag.String("dir", os.TempDir(), "where to work: the disk that is measured")
	only := flag.String("tools", "pipe,ninja,task,tofu", "the tools, in the order in which they take turns")
	flag.Parse()
	if *layers < 1 || *nodes < *layers || *rounds < 1 {
		return fmt.Errorf("-nodes must be at least -layers, and both and -rounds at least 1")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	g := graph{layers: *layers, width: *nodes / *layers}
	tools, err := find(g, *pipe, *only)
	if err != nil {
		return err
	}
	first, again := make([][]time.Duration, len(tools)), make([][]time.Duration, len(tools))
	for range *rounds {
		for i, t := range tools {
			a, b, err := t.round(ctx, *dir)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			first[i], again[i] = append(first[i], a), append(again[i], b)
		}
	}
	print(g, tools, first, again)
	return nil
}

// round runs a tool in a directory of its own.
func (t tool) round(ctx context.Context, root string) (first, again time.Duration, err error) {
	dir, err := os.MkdirTemp(root, "bench-"+t.name+"-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	if err := t.write(dir); err != nil {
		return 0, 0, err
	}
	if t.prepare != nil {
		if _, err := t.time(ctx, dir, t.prepare); err != nil {
			return 0, 0, err
		}
	}
	if first, err = t.time(ctx, dir, t.apply); err != nil {
		return 0, 0, err
	}
	again, err = t.time(ctx, dir, t.apply)
	return first, again, err
}

func (t tool) time(ctx context.Context, dir string, args []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Dir = dir
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%v: %w\n%s", args, err, out[max(0, len(out)-2000):])
	}
	return time.Since(begin), nil
}

// find returns the tools that are there, pipe with an absolute path.
func find(g graph, pipe, only string) ([]tool, error) {
	all := map[string]tool{
		"pipe":  {path: pipe, write: g.pipe, apply: []string{"apply", "main.hcl", "--auto-approve", "--no-color"}},
		"ninja": {path: "ninja", write: g.ninja, apply: []string{"-j2"}},
		"task":  {path: "task", write: g.task, apply: []string{"--concurrency", "2", "--silent"}},
		"tofu": {path: "tofu", write: g.tofu, prepare: []string{"init", "-no-color"},
			apply: []string{"apply", "-auto-approve", "-no-color", "-parallelism=2"}},
	}
	var found []tool
	for _, name := range strings.Split(only, ",") {
		t, known := all[name]
		if !known {
			return nil, fmt.Errorf("there is no tool %q", name)
		}
		path, err := exec.LookPath(t.path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out: %v\n", name, err)
			continue
		}
		if t.path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		t.name = name
		found = append(found, t)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("none of the tools is there")
	}
	return found, nil
}

func print(g graph, tools []tool, first, again [][]time.Duration) {
	fmt.Printf("%d nodes in %d layers, medians of %d rounds\n\n", g.nodes(), g.layers, len(first[0]))
	fmt.Println("| tool | apply, s | ms a node | ratio | nothing changed, s | ratio |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	a0, b0 := median(first[0]), median(again[0])
	for i, t := range tools {
		a, b := median(first[i]), median(again[i])
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.3f | %.2f |\n", t.name, a.Seconds(), a.Seconds()*1000/float64(g.nodes()),
			a.Seconds()/a0.Seconds(), b.Seconds(), b.Seconds()/b0.Seconds())
	}
}

func median(list []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
