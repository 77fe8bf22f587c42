package fault

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Point is a place where the process can be told to die.
type Point string

// The points, in the order in which a node passes them.
const (
	RunStarted       Point = "run-started"       // the run is recorded, nothing ran
	AfterRun         Point = "after-run"         // a runner returned, nothing is stored
	AfterPut         Point = "after-put"         // the artifact is stored, not checked
	AfterCheck       Point = "after-check"       // the expectations passed
	AfterMaterialize Point = "after-materialize" // the files are in place, the entry is not committed
	AfterCommit      Point = "after-commit"      // the entry is committed
	StateAppended    Point = "state-appended"    // a write of the state is durable in its commits, nobody was told
	StateFolded      Point = "state-folded"      // the state file holds the commits, which are still there
	JournalIntent    Point = "journal-intent"    // the intent of an effect is durable, the effect has not happened
	JournalEffect    Point = "journal-effect"    // the effect has happened, its result is not recorded
	JournalDone      Point = "journal-done"      // the result is recorded
	OutboxPut        Point = "outbox-put"        // a message waits in the outbox
	BeforeNotify     Point = "before-notify"     // a message is about to be sent
	NotifySent       Point = "notify-sent"       // the message arrived, the outbox does not know: it is sent again, with its key
	AfterNotify      Point = "after-notify"      // the message is delivered, and settled
	RunFinished      Point = "run-finished"      // everything is recorded but the end of the run
)

// Points lists all points.
func Points() []Point {
	return []Point{RunStarted, AfterRun, AfterPut, AfterCheck, AfterMaterialize, AfterCommit, StateAppended, StateFolded, JournalIntent, JournalEffect,
		JournalDone, OutboxPut, BeforeNotify, NotifySent, AfterNotify, RunFinished}
}

// Set is an armed point, or none. A nil *Set never fires.
type Set struct {
	point Point
	left  atomic.Int64
}

// Parse reads "point" or "point:N". An empty text gives nil.
func Parse(text string) (*Set, error) {
	if text == "" {
		return nil, nil
	}
	name, count, has := strings.Cut(text, ":")
	n := int64(1)
	if has {
		var err error
		if n, err = strconv.ParseInt(count, 10, 32); err != nil || n < 1 {
			return nil, fmt.Errorf("PIPE_FAULT=%s: %q is not a positive number", text, count)
		}
	}
	if !slices.Contains(Points(), Point(name)) {
		return nil, fmt.Errorf("PIPE_FAULT=%s: there is no such point; the points are %v", text, Points())
	}
	s := &Set{point: Point(name)}
	s.left.Store(n)
	return s, nil
}

// Hit kills the process with SIGKILL if this is the armed passage of the armed point.
func (s *Set) Hit(p Point) {
	if s == nil || s.point != p || s.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
