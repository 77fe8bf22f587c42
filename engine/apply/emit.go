package apply

import (
	"sync"
	"time"
)

// emitter hands events to the sink one at a time.
type emitter struct {
	mu   sync.Mutex
	sink Sink
	now  func() time.Time
	run  string
}

func (e *emitter) emit(ev Event) {
	if e.sink == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ev.At, ev.Run = e.now().UTC(), e.run
	e.sink.Event(ev)
}
