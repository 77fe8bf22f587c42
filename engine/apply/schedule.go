package apply

import (
	"container/heap"
	"context"
	"fmt"
	"sync"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// schedule runs the changes: first all but the deletes, in the plan's order as far as their upstreams allow, then the
// deletes, which are left out when anything failed, because what is to be deleted may still be needed.
func (r *run) schedule(stop, work context.Context) ([]NodeResult, error) {
	q := newQueue(r.plan.Changes, max(1, r.Parallelism))
	r.pass(stop, work, q, func(c *plan.Change) bool { return c.Action != plan.Delete })
	if cause, bad := q.firstFailure(); bad {
		q.skipRest(fmt.Sprintf("not started after %s failed; --keep-going goes on with what does not need it", cause))
	} else if stop.Err() == nil {
		r.pass(stop, work, q, func(c *plan.Change) bool { return c.Action == plan.Delete })
	}
	q.skipRest(errStopped.Error())
	if err := r.store.failure(); err != nil {
		return nil, err
	}
	for _, res := range q.results {
		if res.Outcome == Skipped {
			r.events.emit(Event{Type: NodeFinished, Address: res.Address, Outcome: Skipped, Cause: res.Cause, Error: res.Error})
		}
	}
	return q.results, nil
}

// pass runs the changes of one kind, at most Parallelism of them computing at a time.
func (r *run) pass(stop, work context.Context, q *queue, want func(*plan.Change) bool) {
	q.load(want)
	done := q.done // of this pass: the next one makes another
	var waker sync.WaitGroup
	waker.Go(func() { // wakes the workers for an interrupt
		select {
		case <-stop.Done():
			q.mu.Lock()
			q.stopped = true
			q.wake()
			q.mu.Unlock()
			r.events.emit(Event{Type: Stopping})
		case <-done:
		}
	})
	var nodes sync.WaitGroup
	for {
		i, ok := q.next()
		if !ok {
			break
		}
		nodes.Go(func() {
			s := &slot{q: q, held: true}
			res, known := r.node(stop, work, q.changes[i], s, q.digests)
			s.leave()
			q.finish(i, res, known, r.KeepGoing && r.store.failure() == nil)
		})
	}
	nodes.Wait()
	close(done)
	waker.Wait()
}

// queue is the bookkeeping of the scheduler, all under one mutex.
type queue struct {
	mu        sync.Mutex
	cond      *sync.Cond // of next
	back      *sync.Cond // of those that take a slot again
	changes   []*plan.Change
	index     map[addr.Addr]int
	down      [][]int
	waiting   []int
	ready     intHeap
	limit     int // slots
	busy      int // slots that are held
	returning int // nodes that wait for a slot again
	most      int // nodes that may have begun and not ended
	running   int // nodes that have
	lot       *lot
	stopped   bool
	done      chan struct{}
	results   []NodeResult
	known     map[addr.Addr]digest.Digest // artifacts of the changes that are done
}

func newQueue(changes []plan.Change, parallelism int) *queue {
	q := &queue{index: map[addr.Addr]int{}, down: make([][]int, len(changes)), waiting: make([]int, len(changes)),
		results: make([]NodeResult, len(changes)), known: map[addr.Addr]digest.Digest{}}
	q.cond, q.back = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	if q.limit, q.most = parallelism, 1; parallelism > 1 {
		q.most = parallelism + finishing
	}
	for i := range changes {
		c := &changes[i]
		q.changes = append(q.changes, c)
		q.results[i].Address = c.Address
		if c.Action != plan.Delete {
			q.index[c.Address] = i
		}
	}
	for i, c := range q.changes {
		if c.Action == plan.Delete {
			continue
		}
		for _, a := range c.After {
			if u, ok := q.index[a]; ok {
				q.down[u] = append(q.down[u], i)
				q.waiting[i]++
			}
		}
	}
	return q
}

// load puts the wanted changes into the queue. Deletes stand in their order and are run one after the other's success.
func (q *queue) load(want func(*plan.Change) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done, q.ready = make(chan struct{}), nil
	last := -1
	for i, c := range q.changes {
		if !want(c) {
			continue
		}
		if c.Action == plan.Delete {
			if last >= 0 {
				q.down[last] = append(q.down[last], i)
				q.waiting[i] = 1
			}
			last = i
		}
		if q.waiting[i] == 0 {
			q.ready = append(q.ready, i)
		}
	}
	heap.Init(&q.ready)
}

// next waits for a change that may run, and takes a slot for it. ok is false when there will be no more.
func (q *queue) next() (i int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.stopped || len(q.ready) == 0 && q.running == 0 {
			return 0, false
		}
		if len(q.ready) > 0 && q.busy < q.limit && q.returning == 0 && q.running < q.most {
			break
		}
		q.cond.Wait()
	}
	q.running++
	q.busy++
	return heap.Pop(&q.ready).(int), true
}

// digests returns the artifact that a change of this run left at an address.
func (q *queue) digests(a addr.Addr) (digest.Digest, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d, ok := q.known[a]
	return d, ok
}

// finish files the result and frees what waited for it, or skips it after a failure.
func (q *queue) finish(i int, res NodeResult, known digest.Digest, keepGoing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.results[i] = res
	switch res.Outcome {
	case Failed, Rejected, Skipped:
		q.skip(i, res.Address)
		if !keepGoing {
			q.stopped = true
		}
	default:
		q.known[res.Address] = known
		for _, d := range q.down[i] {
			if q.waiting[d]--; q.waiting[d] == 0 && q.results[d].Outcome == "" {
				heap.Push(&q.ready, d)
			}
		}
	}
	q.wake()
}

// skip marks everything below i as skipped because of cause.
func (q *queue) skip(i int, cause addr.Addr) {
	for _, d := range q.down[i] {
		if q.results[d].Outcome == "" {
			q.results[d].Outcome, q.results[d].Cause = Skipped, cause
			q.results[d].Error = fmt.Sprintf("skipped because %s failed", cause)
			q.skip(d, cause)
		}
	}
}

// skipRest marks everything without a result as skipped, which is the doing of no node above it.
func (q *queue) skipRest(why string) {
	for i := range q.results {
		if q.results[i].Outcome == "" {
			q.results[i].Outcome, q.results[i].Error = Skipped, why
		}
	}
}

func (q *queue) firstFailure() (addr.Addr, bool) {
	for _, res := range q.results {
		if res.Outcome == Failed || res.Outcome == Rejected {
			return res.Address, true
		}
	}
	return addr.Addr{}, false
}

// intHeap orders places, so that nodes start in the plan's order.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
