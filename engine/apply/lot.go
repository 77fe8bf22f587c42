package apply

import "time"

// A disk does many writes together in little more than the time of one, and everybody who changes files meanwhile waits
// for it. So nodes that are ready to be stored wait for each other, as long as others are about to join them, and shortly.
const (
	lotSize     = 32
	lotPatience = 10 * time.Millisecond
)

// lot is nodes that will be stored together.
type lot struct {
	size  int
	full  chan struct{} // closed when nobody is waited for any more
	timer *time.Timer
}

// gather waits for nodes to be stored together with this one, which has left its slot.
func (q *queue) gather() {
	q.mu.Lock()
	l := q.lot
	if l == nil {
		l = &lot{full: make(chan struct{})}
		l.timer = time.AfterFunc(lotPatience, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.dispatch(l)
		})
		q.lot = l
	}
	l.size++
	if l.size >= lotSize || q.quiet() {
		q.dispatch(l)
	}
	q.mu.Unlock()
	<-l.full
}

// dispatch lets a lot go, if it has not gone.
func (q *queue) dispatch(l *lot) {
	if l != nil && q.lot == l {
		q.lot = nil
		l.timer.Stop()
		close(l.full)
	}
}

// quiet reports whether no node computes, and none is about to.
func (q *queue) quiet() bool {
	return q.busy == 0 && q.returning == 0 && (q.stopped || len(q.ready) == 0 || q.running >= q.most)
}
