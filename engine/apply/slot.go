package apply

// finishing is how many nodes, besides those that hold a slot, may be about to be made durable. The disk takes many of
// them together in the time of one.
const finishing = 64

// slot is the right of one node to compute; there are as many as the run's parallelism. A node that only waits for the
// disk leaves it to another, so that what many small nodes leave becomes durable together. One after the other
// (parallelism 1) means just that: then nobody else comes in meanwhile.
type slot struct {
	q    *queue
	held bool
}

// leave gives the slot up. It is safe to repeat.
func (s *slot) leave() {
	if !s.held {
		return
	}
	s.held = false
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	s.q.busy--
	s.q.wake()
}

// enter takes a slot again, before any node that has not begun gets one. It is safe to repeat.
func (s *slot) enter() {
	if s.held {
		return
	}
	s.held = true
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	s.q.returning++
	for s.q.busy >= s.q.limit {
		s.q.back.Wait()
	}
	s.q.returning--
	s.q.busy++
	s.q.wake()
}

// wake tells whoever waits for a slot or for a change that something is different.
func (q *queue) wake() {
	if q.returning > 0 {
		q.back.Signal()
	}
	q.cond.Signal()
	if q.quiet() {
		q.dispatch(q.lot)
	}
}
