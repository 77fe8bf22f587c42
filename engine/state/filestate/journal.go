package filestate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// effectKey names an effect.
type effectKey struct {
	node addr.Addr
	key  string
}

// effectRecord is one line of the journal.
type effectRecord struct {
	Node  addr.Addr       `json:"node"`
	Key   string          `json:"key,omitempty"`
	Phase string          `json:"phase"`
	Data  json.RawMessage `json:"data,omitempty"` // the intent or the result
	To    addr.Addr       `json:"to,omitzero"`    // of a move
	At    time.Time       `json:"at"`
}

// The phases of an effect.
const (
	intentPhase = "intent"
	donePhase   = "done"
	undonePhase = "undone"
	movedPhase  = "moved"
)

// effect is what is known of an effect that was intended and not undone.
type effect struct {
	intent, result     json.RawMessage
	intendedAt, doneAt time.Time
	done               bool
	order              int // of its last phase
}

// journal is the journal of all nodes.
type journal struct {
	log     *log
	effects map[effectKey]*effect
	next    int
}

func (j *journal) file() *log {
	if j == nil {
		return nil
	}
	return j.log
}

// loadJournal reads the journal, once for a lease; within a guard.
func (l *lease) loadJournal() (*journal, error) {
	if l.journal != nil {
		return l.journal, nil
	}
	file, err := openLog(l.file(journalFile))
	if err != nil {
		return nil, err
	}
	j := &journal{log: file, effects: map[effectKey]*effect{}}
	err = file.lines(func(number int, line []byte) error {
		var r effectRecord
		err := json.Unmarshal(line, &r)
		if err == nil {
			err = j.apply(r)
		}
		if err != nil {
			return fmt.Errorf("%w: the journal of effects %s: line %d: %w; restore the file from a backup, or remove the line if the effect that it told of may be repeated",
				state.ErrDamaged, file.path, number, err)
		}
		return nil
	})
	if err == nil {
		err = j.compact()
	}
	if err != nil {
		file.f.Close()
		return nil, err
	}
	l.journal = j
	return j, nil
}

// add appends a record and applies it.
func (j *journal) add(r effectRecord) error {
	line, err := digest.Canonical(r)
	if err != nil {
		return err
	}
	if err := j.log.append(line); err != nil {
		return err
	}
	return j.apply(r)
}

// apply changes what is known as a record says.
func (j *journal) apply(r effectRecord) error {
	id := effectKey{r.Node, r.Key}
	have := j.effects[id]
	j.next++
	switch r.Phase {
	case intentPhase:
		if have == nil { // else the first intent stays
			j.effects[id] = &effect{intent: r.Data, intendedAt: r.At, order: j.next}
		}
	case donePhase:
		if have == nil {
			return fmt.Errorf("the effect %q of %s is done without an intent", r.Key, r.Node)
		}
		have.result, have.done, have.doneAt, have.order = r.Data, true, r.At, j.next
	case undonePhase:
		delete(j.effects, id)
	case movedPhase:
		for _, id := range j.keys(r.Node) {
			if to := (effectKey{r.To, id.key}); j.effects[to] == nil || !j.effects[to].done {
				j.effects[to] = j.effects[id]
			}
			delete(j.effects, id)
		}
	default:
		return fmt.Errorf("there is no phase %q", r.Phase)
	}
	return nil
}

// keys lists the effects of a node in their order.
func (j *journal) keys(node addr.Addr) []effectKey {
	var ids []effectKey
	for id := range j.effects {
		if id.node == node {
			ids = append(ids, id)
		}
	}
	j.sort(ids)
	return ids
}

func (j *journal) sort(ids []effectKey) {
	sort.Slice(ids, func(a, b int) bool { return j.effects[ids[a]].order < j.effects[ids[b]].order })
}

// compact rewrites the journal when it is large and most of it is obsolete. What was done stays for ever.
func (j *journal) compact() error {
	if j.log.size < compactAbove {
		return nil
	}
	ids := make([]effectKey, 0, len(j.effects))
	for id := range j.effects {
		ids = append(ids, id)
	}
	j.sort(ids)
	var lines [][]byte
	var size int64
	for _, id := range ids {
		e := j.effects[id]
		records := []effectRecord{{Node: id.node, Key: id.key, Phase: intentPhase, Data: e.intent, At: e.intendedAt}}
		if e.done {
			records = append(records, effectRecord{Node: id.node, Key: id.key, Phase: donePhase, Data: e.result, At: e.doneAt})
		}
		for _, r := range records {
			line, err := digest.Canonical(r)
			if err != nil {
				return err
			}
			lines = append(lines, line)
			size += int64(len(line)) + 1
		}
	}
	if size > j.log.size/2 {
		return nil
	}
	return j.log.rewrite(lines)
}

// nodeJournal is the journal of one node.
type nodeJournal struct {
	*lease
	node addr.Addr
}

var _ stage.Journal = nodeJournal{}

// Do implements stage.Journal.
func (n nodeJournal) Do(ctx context.Context, key string, intent any, act func(context.Context, stage.Attempt) (any, error)) (json.RawMessage, error) {
	if key == "" {
		return nil, errors.New("an effect needs a key that is not empty")
	}
	raw, err := digest.Canonical(intent)
	if err != nil {
		return nil, fmt.Errorf("effect %s of %s: its intent cannot be recorded: %w", key, n.node, err)
	}
	id := effectKey{n.node, key}
	free, err := n.busy.take(ctx, id)
	if err != nil {
		return nil, err
	}
	defer free()
	e, again, err := n.intend(ctx, id, raw)
	if err != nil {
		return nil, n.explain(err)
	}
	if e.done {
		return e.result, nil
	}
	n.faults.Hit(fault.JournalIntent)
	result, err := act(ctx, stage.Attempt{Intent: e.intent, Again: again})
	if err != nil {
		return nil, err
	}
	n.faults.Hit(fault.JournalEffect)
	if raw, err = digest.Canonical(result); err != nil {
		return nil, fmt.Errorf("effect %s of %s: its result cannot be recorded: %w", key, n.node, err)
	}
	// Recorded even if ctx is done by now: the effect has happened.
	if err := n.record(context.WithoutCancel(ctx), effectRecord{Node: n.node, Key: key, Phase: donePhase, Data: raw}); err != nil {
		return nil, n.explain(err)
	}
	n.faults.Hit(fault.JournalDone)
	return raw, nil
}

// intend returns the effect as it is known, after recording the intent if it was not recorded before.
func (n nodeJournal) intend(ctx context.Context, id effectKey, intent json.RawMessage) (e effect, again bool, err error) {
	err = n.guard(ctx, func() error {
		j, err := n.loadJournal()
		if err != nil {
			return err
		}
		if have := j.effects[id]; have != nil {
			e, again = *have, true
			return nil
		}
		if err := j.add(effectRecord{Node: id.node, Key: id.key, Phase: intentPhase, Data: intent, At: n.stamp()}); err != nil {
			return err
		}
		e = *j.effects[id]
		return nil
	})
	return e, again, err
}

// record appends a record.
func (n nodeJournal) record(ctx context.Context, r effectRecord) error {
	return n.guard(ctx, func() error {
		j, err := n.loadJournal()
		if err != nil {
			return err
		}
		r.At = n.stamp()
		return j.add(r)
	})
}

// Done implements stage.Journal.
func (n nodeJournal) Done(ctx context.Context) ([]stage.Effect, error) {
	var list []stage.Effect
	err := n.guard(ctx, func() error {
		j, err := n.loadJournal()
		if err != nil {
			return err
		}
		for _, id := range j.keys(n.node) {
			if e := j.effects[id]; e.done {
				list = append(list, stage.Effect{Key: id.key, Intent: e.intent, Result: e.result})
			}
		}
		return nil
	})
	return list, n.explain(err)
}

// Undo implements stage.Journal.
func (n nodeJournal) Undo(ctx context.Context, key string) error {
	free, err := n.busy.take(ctx, effectKey{n.node, key})
	if err != nil {
		return err
	}
	defer free()
	return n.explain(n.guard(ctx, func() error {
		j, err := n.loadJournal()
		if err != nil || j.effects[effectKey{n.node, key}] == nil {
			return err
		}
		return j.add(effectRecord{Node: n.node, Key: key, Phase: undonePhase, At: n.stamp()})
	}))
}

// MoveJournal implements state.Lease.
func (l *lease) MoveJournal(ctx context.Context, from, to addr.Addr) error {
	if from == to {
		return nil
	}
	return l.explain(l.guard(ctx, func() error {
		j, err := l.loadJournal()
		if err != nil || len(j.keys(from)) == 0 {
			return err
		}
		return j.add(effectRecord{Node: from, Phase: movedPhase, To: to, At: l.stamp()})
	}))
}

// busy lets one goroutine at a time act on an effect.
type busy struct {
	mu   sync.Mutex
	held map[effectKey]chan struct{}
}

// take waits for the effect and returns how to free it.
func (b *busy) take(ctx context.Context, id effectKey) (free func(), err error) {
	for {
		b.mu.Lock()
		if b.held == nil {
			b.held = map[effectKey]chan struct{}{}
		}
		other, taken := b.held[id]
		if !taken {
			mine := make(chan struct{})
			b.held[id] = mine
			b.mu.Unlock()
			return func() {
				b.mu.Lock()
				delete(b.held, id)
				b.mu.Unlock()
				close(mine)
			}, nil
		}
		b.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
