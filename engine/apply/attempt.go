package apply

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"pipe/engine/config"
	"pipe/engine/fault"
	"pipe/engine/stage"
)

// attempts runs the node, again after failures that may pass, as its retry block says.
func (n *nodeRun) attempts(stop, work context.Context) error {
	retry := config.Retry{Attempts: 1}
	if o := n.change.Options; o != nil && o.Retry.Attempts > 0 {
		retry = o.Retry
	}
	for i := 1; ; i++ {
		err := n.attempt(stop, work, i)
		switch {
		case err == nil:
			return nil
		case stop.Err() != nil:
			return fmt.Errorf("%w: %w", errStopped, err)
		case i >= retry.Attempts || final(err):
			if i > 1 {
				return fmt.Errorf("%w (after %d attempts)", err, i)
			}
			return err
		}
		wait := backoff(retry, i)
		n.events.emit(Event{Type: NodeRetry, Address: n.change.Address, Attempt: i, Wait: wait.Seconds(), Error: err.Error()})
		select {
		case <-time.After(wait):
		case <-stop.Done():
			return fmt.Errorf("%w: %w", errStopped, err)
		}
	}
}

// final reports whether trying again can't help.
func final(err error) bool {
	var attr *stage.AttrError
	return errors.Is(err, stage.ErrChanged) || errors.Is(err, stage.ErrStale) || errors.As(err, &attr) || stage.IsPermanent(err)
}

// backoff doubles with every attempt, up to the maximum, and is spread over half of its length, so that many that
// failed together do not come back together.
func backoff(r config.Retry, attempt int) time.Duration {
	d := time.Duration(r.Backoff)
	limit := time.Duration(r.MaxBackoff)
	if limit <= 0 {
		limit = 5 * time.Minute
	}
	for i := 1; i < attempt && d < limit; i++ {
		d *= 2
	}
	d = min(d, limit)
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d/2+1)
}

// attempt runs the node once in an empty directory and stores what it made.
func (n *nodeRun) attempt(stop, work context.Context, number int) error {
	n.slot.enter()
	runner, err := n.runner(n.change.Kind, n.change.Type, n.change.Revision, n.change.Config)
	if err != nil {
		return err
	}
	at, err := n.rooms.take(fmt.Sprintf("%s-attempt-%d", n.scratch, number))
	if err != nil {
		return err
	}
	if _, spawns := runner.(stage.Spawner); spawns {
		defer at.discard()
	} else {
		defer n.rooms.giveBack(at)
	}
	out := &stage.Output{Dir: at.out(), Progress: n.progress()}
	inputs, err := n.layOut(work, at.in())
	if err != nil {
		return err
	}
	ctx, cancel := n.bounded(stop, work)
	defer cancel()
	begin := time.Now()
	if err := guarded(func() error { return runner.Run(ctx, n.env(at.scratch()), inputs, out) }); err != nil {
		return n.explain(ctx, err)
	}
	n.seconds = time.Since(begin).Seconds()
	n.Faults.Hit(fault.AfterRun)
	n.slot.leave()
	n.slot.q.gather()
	a, err := n.Artifacts.Commit(work, out.Dir, out.Info())
	if err != nil {
		return err
	}
	if err := n.Artifacts.Remember(work, n.inputs.Digest(), a.Digest()); err != nil {
		return err
	}
	n.Faults.Hit(fault.AfterPut)
	n.artifact = a
	return nil
}

// layOut puts the files of every input into a directory of its own.
func (n *nodeRun) layOut(ctx context.Context, root string) (stage.Inputs, error) {
	var inputs stage.Inputs
	for i, part := range n.inputs.Inputs {
		a, err := n.Artifacts.Get(ctx, part.Digest)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", part.Label, err)
		}
		dir := filepath.Join(root, fmt.Sprintf("%d", i))
		for _, f := range a.Files {
			if err := n.Artifacts.Materialize(ctx, f, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
				return nil, fmt.Errorf("input %q: %w", part.Label, err)
			}
		}
		inputs = append(inputs, stage.Input{Label: part.Label, Artifact: a, Dir: dir})
	}
	return inputs, nil
}

// errTimeout is the cause of a context that ran out of the node's time, errGrace of one that was interrupted.
var (
	errTimeout = errors.New("out of time")
	errGrace   = errors.New("the grace period after the interrupt is over")
)

// bounded returns the context of one attempt: it ends with the node's timeout, and a grace period after an interrupt.
func (n *nodeRun) bounded(stop, work context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(work)
	release := func() {}
	if o := n.change.Options; o != nil && o.Timeout > 0 {
		timer := time.AfterFunc(time.Duration(o.Timeout), func() { cancel(errTimeout) })
		release = func() { timer.Stop() }
	}
	unhook := context.AfterFunc(stop, func() {
		select {
		case <-time.After(n.Grace):
			cancel(errGrace)
		case <-ctx.Done():
		}
	})
	return ctx, func() { unhook(); release(); cancel(nil) }
}

// explain says why the context ended, where that is the reason of the failure.
func (n *nodeRun) explain(ctx context.Context, err error) error {
	switch context.Cause(ctx) {
	case errTimeout:
		return fmt.Errorf("stopped after its timeout of %s: raise timeout, or make the work smaller", time.Duration(n.change.Options.Timeout))
	case errGrace:
		return fmt.Errorf("%w: %w", errStopped, errGrace)
	}
	if full(n.Scratch) {
		return fmt.Errorf("%w: the disk of %s is full; free space, or point store at another disk", err, n.shown(n.Scratch))
	}
	return err
}

// full reports whether hardly anything can be written below dir.
func full(dir string) bool {
	const left = 256 << 10 // bytes
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) < left
}

// shown spells a path for people: relative to the working directory where it lies below it.
func (x *Executor) shown(path string) string {
	if rel, err := filepath.Rel(x.WorkDir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// guarded turns a panic of a runner into an error of its node: one type's mistake must not lose the others' work.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error in this type of node (please report it): %v\n%s", p, firstFrames(debug.Stack()))
		}
	}()
	return fn()
}

func firstFrames(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	if len(lines) > 16 {
		lines = lines[:16]
	}
	return strings.Join(lines, "\n")
}

// progress hands on what the runner reports, at most five times a second.
func (n *nodeRun) progress() func(done, total int64) {
	var last atomic.Int64
	begin := time.Now()
	return func(done, total int64) {
		now := int64(time.Since(begin))
		was := last.Load()
		if now-was < int64(200*time.Millisecond) || !last.CompareAndSwap(was, now) {
			return
		}
		n.events.emit(Event{Type: NodeProgress, Address: n.change.Address, Seconds: time.Duration(now).Seconds(), Done: done, Total: total})
	}
}
