package view

import (
	"math"
	"slices"
)

// The measures of the drawn graph, in pixels at full size.
const (
	nodeWidth  = 200
	nodeHeight = 30
	columnStep = 260 // from one layer to the next
	foldStep   = 214 // from one column of a folded layer to the next
	rowStep    = 42
)

// point is the upper left corner of a node.
type point struct{ x, y int }

// arrange draws a graph in layers from left to right: every node right of all that it rests on, near what it is joined to.
// A layer that is too long for a page is folded into columns. up holds, by node, the nodes that it rests on.
func arrange(up [][]int) []point {
	down := make([][]int, len(up))
	for i, list := range up {
		for _, u := range list {
			down[u] = append(down[u], i)
		}
	}
	layers := layered(up, down)
	untangle(layers, up, down)
	rows := rowsFor(layers)
	at := make([]point, len(up))
	x, folded := 0, false
	for _, layer := range layers {
		columns := (len(layer) + rows - 1) / rows
		folded = folded || columns > 1
		perColumn := (len(layer) + max(columns, 1) - 1) / max(columns, 1)
		for k, i := range layer {
			at[i] = point{x + k/perColumn*foldStep, (2*(k%perColumn) - perColumn + 1) * rowStep / 2}
		}
		x += max(columns-1, 0)*foldStep + columnStep
	}
	if !folded {
		straighten(layers, up, down, at)
	}
	lowest := 0
	for _, p := range at {
		lowest = min(lowest, p.y)
	}
	for i := range at {
		at[i].y -= lowest
	}
	return at
}

// fewestRows is the length from which a layer may be folded.
const fewestRows = 24

// rowsFor is how long a column may be for the whole to be about as high as a screen is, which is wider than high.
func rowsFor(layers [][]int) int {
	longest := 0
	for _, l := range layers {
		longest = max(longest, len(l))
	}
	for rows := fewestRows; ; rows += 1 + rows/8 {
		width, height := 0, min(rows, longest)*rowStep
		for _, l := range layers {
			width += columnStep + (len(l)-1)/rows*foldStep
		}
		if rows >= longest || 10*height >= 6*width {
			return rows
		}
	}
}

// layered puts every node one layer right of the last that it rests on; a node that rests on nothing comes just before
// the first that rests on it.
func layered(up, down [][]int) [][]int {
	level := make([]int, len(up))
	most := 0
	order := topological(up)
	for _, i := range order {
		for _, u := range up[i] {
			level[i] = max(level[i], level[u]+1)
		}
		level[i] = min(level[i], len(up)) // on a cycle
		most = max(most, level[i])
	}
	for _, i := range order {
		if len(up[i]) > 0 || len(down[i]) == 0 {
			continue
		}
		first := most
		for _, d := range down[i] {
			first = min(first, level[d])
		}
		level[i] = max(first-1, 0)
	}
	layers := make([][]int, most+1)
	for i, l := range level {
		layers[l] = append(layers[l], i)
	}
	return slices.DeleteFunc(layers, func(l []int) bool { return len(l) == 0 })
}

const sweeps = 8

// untangle orders each layer by where the neighbours of its nodes are, from the left and from the right in turn.
func untangle(layers, up, down [][]int) {
	pos := make([]float64, len(up))
	for _, layer := range layers {
		number(layer, pos)
	}
	for sweep := range sweeps {
		near := up
		if sweep%2 == 1 {
			near = down
		}
		for k := range layers {
			layer := layers[k]
			if sweep%2 == 1 {
				layer = layers[len(layers)-1-k]
			}
			want := make(map[int]float64, len(layer))
			for _, i := range layer {
				want[i] = mean(near[i], pos, pos[i])
			}
			slices.SortStableFunc(layer, func(a, b int) int {
				switch {
				case want[a] < want[b]:
					return -1
				case want[a] > want[b]:
					return 1
				}
				return 0
			})
			number(layer, pos)
		}
	}
}

// number gives the nodes of a layer their places from 0 to 1, so that layers of different lengths compare.
func number(layer []int, pos []float64) {
	for k, i := range layer {
		pos[i] = (float64(k) + 0.5) / float64(len(layer))
	}
}

func mean(list []int, pos []float64, none float64) float64 {
	if len(list) == 0 {
		return none
	}
	sum := 0.0
	for _, i := range list {
		sum += pos[i]
	}
	return sum / float64(len(list))
}

// straighten moves nodes to the height of their neighbours, as far as the order of their layer allows.
func straighten(layers, up, down [][]int, at []point) {
	y := make([]float64, len(at))
	for i, p := range at {
		y[i] = float64(p.y)
	}
	for sweep := range sweeps {
		near := down
		if sweep%2 == 1 {
			near = up
		}
		for k := range layers {
			layer := layers[len(layers)-1-k]
			if sweep%2 == 1 {
				layer = layers[k]
			}
			settleLayer(layer, near, y)
		}
	}
	for i := range at {
		at[i].y = int(math.Round(y[i]))
	}
}

// settleLayer moves the nodes of one layer to where their neighbours want them, keeps them apart, and leaves the layer
// as a whole where its nodes want it on average.
func settleLayer(layer []int, near [][]int, y []float64) {
	off := 0.0
	placed := make([]float64, len(layer))
	for k, i := range layer {
		want := mean(near[i], y, y[i])
		placed[k] = want
		if k > 0 {
			placed[k] = max(want, placed[k-1]+rowStep)
		}
		off += want - placed[k]
	}
	for k, i := range layer {
		y[i] = placed[k] + off/float64(len(layer))
	}
}
