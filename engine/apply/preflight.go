package apply

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"pipe/engine/addr"
	"pipe/engine/config"
	"pipe/engine/plan"
	"pipe/engine/stage"
)

// preflight asks, before the first publish of a run, whether every target of the run that pins something can be reached,
// so that a database that is down is found before anything is half published.
type preflight struct {
	once sync.Once
	err  error
}

func (n *nodeRun) reachable(stop, work context.Context) error {
	n.ahead.once.Do(func() {
		for i := range n.plan.Changes {
			c := &n.plan.Changes[i]
			if c.Kind != addr.Publish || (c.Action != plan.Create && c.Action != plan.Update) {
				continue
			}
			if err := n.reach(stop, work, c); err != nil {
				n.ahead.err = fmt.Errorf("nothing was published, because %s can't be reached: %w", c.Address, err)
				return
			}
		}
	})
	return n.ahead.err
}

// reach asks one target, again as its retry block says.
func (n *nodeRun) reach(stop, work context.Context, c *plan.Change) error {
	runner, err := n.runner(c.Kind, c.Type, c.Revision, c.Config)
	if err != nil {
		return err
	}
	pinner, ok := runner.(stage.Pinner)
	if !ok {
		return nil
	}
	other := &nodeRun{run: n.run, change: c, inputs: c.Fingerprint()}
	retry := config.Retry{Attempts: 1}
	if c.Options != nil && c.Options.Retry.Attempts > 0 {
		retry = c.Options.Retry
	}
	for i := 1; ; i++ {
		_, err := pinner.Pin(work, other.env(filepath.Join(n.scratch, "preflight")))
		if err == nil || i >= retry.Attempts {
			if err != nil && i > 1 {
				err = fmt.Errorf("%w (after %d attempts)", err, i)
			}
			return err
		}
		wait := backoff(retry, i)
		n.events.emit(Event{Type: NodeRetry, Address: c.Address, Attempt: i, Wait: wait.Seconds(), Error: err.Error()})
		select {
		case <-time.After(wait):
		case <-stop.Done():
			return fmt.Errorf("%w: %w", errStopped, err)
		}
	}
}
