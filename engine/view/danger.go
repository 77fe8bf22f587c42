package view

import (
	"math/bits"
	"slices"

	"pipe/engine/addr"
	"pipe/engine/plan"
)

// danger orders changes for a reviewer: what removes something first, then what others see, then what runs again.
type danger int

const (
	deletes danger = iota
	publishes
	updates
	rest
	dangers // how many there are
)

func dangerOf(c *plan.Change) danger {
	switch {
	case c.Action == plan.Delete:
		return deletes
	case c.Kind == addr.Publish:
		return publishes
	case c.Action == plan.Update:
		return updates
	}
	return rest
}

// within orders changes of one danger before their blast radius does: deleted publishes first, creates before the rest.
func (d danger) within(c *plan.Change) int {
	switch {
	case d == deletes && c.Kind == addr.Publish, d == rest && c.Action == plan.Create:
		return 0
	case d == rest && c.Action == plan.Import:
		return 1
	}
	return 2
}

// byDanger returns the places of a plan's changes, most dangerous first; equal ones stay in the order of the plan.
func byDanger(p *plan.Plan, blast []int) []int {
	order := make([]int, len(p.Changes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &p.Changes[i], &p.Changes[j]
		d := dangerOf(a)
		if diff := int(d - dangerOf(b)); diff != 0 {
			return diff
		}
		if diff := d.within(a) - d.within(b); diff != 0 {
			return diff
		}
		return blast[j] - blast[i]
	})
	return order
}

// blastRadius counts, for every change, the changes of the plan that rest on it, over any number of steps.
func blastRadius(p *plan.Plan) []int {
	up := upstreamChanges(p)
	order := topological(up)
	counts, mask := make([]int, len(up)), make([]uint64, len(up))
	for from := 0; from < len(up); from += 64 { // 64 changes at a time: who is above them?
		clear(mask)
		for k := len(order) - 1; k >= 0; k-- {
			i := order[k]
			reached := mask[i]
			if i >= from && i < from+64 {
				reached |= 1 << (i - from)
			}
			if reached == 0 {
				continue
			}
			for _, u := range up[i] {
				mask[u] |= reached
			}
		}
		for i, m := range mask {
			counts[i] += bits.OnesCount64(m)
		}
	}
	return counts
}

// upstreamChanges returns, for every change, the places of the changes that it rests on. A delete comes after those that
// rest on it, so its order is the other way round.
func upstreamChanges(p *plan.Plan) [][]int {
	at := make(map[addr.Addr]int, len(p.Changes))
	for i := range p.Changes {
		at[p.Changes[i].Address] = i
	}
	up := make([][]int, len(p.Changes))
	for i := range p.Changes {
		c := &p.Changes[i]
		for _, a := range c.After {
			switch j, ok := at[a]; {
			case !ok || i == j:
			case c.Action == plan.Delete:
				up[j] = append(up[j], i)
			default:
				up[i] = append(up[i], j)
			}
		}
	}
	return up
}

// topological orders places so that what is above comes first. Places on a cycle, which no plan that pipe made has, come
// last.
func topological(up [][]int) []int {
	down, waits := make([][]int, len(up)), make([]int, len(up))
	for i, list := range up {
		waits[i] = len(list)
		for _, u := range list {
			down[u] = append(down[u], i)
		}
	}
	order := make([]int, 0, len(up))
	for i, n := range waits {
		if n == 0 {
			order = append(order, i)
		}
	}
	for k := 0; k < len(order); k++ {
		for _, d := range down[order[k]] {
			if waits[d]--; waits[d] == 0 {
				order = append(order, d)
			}
		}
	}
	for i, n := range waits {
		if n > 0 {
			order = append(order, i)
		}
	}
	return order
}
