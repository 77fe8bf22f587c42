package filestate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/state"
)

// messageRecord is one line of the outbox.
type messageRecord struct {
	Keys    []string        `json:"keys"` // one, or those that were settled together
	Phase   string          `json:"phase"`
	Message json.RawMessage `json:"message,omitempty"`
	Outcome string          `json:"outcome,omitempty"`
	At      time.Time       `json:"at"`
}

// The phases of a message.
const (
	putPhase     = "put"
	settledPhase = "settled"
)

// outbox is what is known of all messages.
type outbox struct {
	log   *log
	order []string // keys as they were put
	last  map[string]messageRecord
}

func (o *outbox) file() *log {
	if o == nil {
		return nil
	}
	return o.log
}

// loadOutbox reads the outbox, once for a lease; within a guard.
func (l *lease) loadOutbox() (*outbox, error) {
	if l.outbox != nil {
		return l.outbox, nil
	}
	file, err := openLog(l.file(outboxFile))
	if err != nil {
		return nil, err
	}
	o := &outbox{log: file, last: map[string]messageRecord{}}
	err = file.lines(func(number int, line []byte) error {
		var r messageRecord
		err := json.Unmarshal(line, &r)
		if err == nil && r.Phase != putPhase && r.Phase != settledPhase {
			err = fmt.Errorf("there is no phase %q", r.Phase)
		}
		if err != nil {
			return fmt.Errorf("%w: the outbox %s: line %d: %w; restore the file from a backup, or remove the line if the message that it told of may be sent again",
				state.ErrDamaged, file.path, number, err)
		}
		o.apply(r)
		return nil
	})
	if err == nil {
		err = o.compact()
	}
	if err != nil {
		file.f.Close()
		return nil, err
	}
	l.outbox = o
	return o, nil
}

func (o *outbox) apply(r messageRecord) {
	for _, key := range r.Keys {
		if _, ok := o.last[key]; !ok {
			o.order = append(o.order, key)
		}
		o.last[key] = r
	}
}

func (o *outbox) add(r messageRecord) error {
	line, err := digest.Canonical(r)
	if err != nil {
		return err
	}
	if err := o.log.append(line); err != nil {
		return err
	}
	o.apply(r)
	return nil
}

// compact drops the text of settled messages. Their keys stay, so that they are never put again.
func (o *outbox) compact() error {
	if o.log.size < compactAbove {
		return nil
	}
	var lines [][]byte
	var size int64
	for _, key := range o.order {
		r := o.last[key]
		r.Keys = []string{key}
		line, err := digest.Canonical(r)
		if err != nil {
			return err
		}
		lines = append(lines, line)
		size += int64(len(line)) + 1
	}
	if size > o.log.size/2 {
		return nil
	}
	return o.log.rewrite(lines)
}

// leaseOutbox is the outbox as the holder of a lease sees it.
type leaseOutbox struct{ *lease }

var _ state.Outbox = leaseOutbox{}

// Put implements state.Outbox.
func (b leaseOutbox) Put(ctx context.Context, key string, message json.RawMessage) error {
	if key == "" {
		return errors.New("a message needs a key that is not empty")
	}
	raw, err := digest.Canonical(message)
	if err != nil {
		return fmt.Errorf("message %s cannot be recorded: %w", key, err)
	}
	put := false
	err = b.guard(ctx, func() error {
		o, err := b.loadOutbox()
		if err != nil {
			return err
		}
		if _, ever := o.last[key]; ever {
			return nil
		}
		put = true
		return o.add(messageRecord{Keys: []string{key}, Phase: putPhase, Message: raw, At: b.stamp()})
	})
	if err != nil {
		return b.explain(err)
	}
	if put {
		b.faults.Hit(fault.OutboxPut)
	}
	return nil
}

// Pending implements state.Outbox.
func (b leaseOutbox) Pending(ctx context.Context) ([]state.Pending, error) {
	var list []state.Pending
	err := b.guard(ctx, func() error {
		o, err := b.loadOutbox()
		if err != nil {
			return err
		}
		for _, key := range o.order {
			if r := o.last[key]; r.Phase == putPhase {
				list = append(list, state.Pending{Key: key, Message: r.Message})
			}
		}
		return nil
	})
	return list, b.explain(err)
}

// Settle implements state.Outbox. One line holds all keys, so that they are settled together.
func (b leaseOutbox) Settle(ctx context.Context, keys []string, outcome string) error {
	return b.explain(b.guard(ctx, func() error {
		o, err := b.loadOutbox()
		if err != nil {
			return err
		}
		var open []string
		for _, key := range keys {
			r, ever := o.last[key]
			if !ever {
				return fmt.Errorf("there is no message %s to settle", key)
			}
			if r.Phase == putPhase {
				open = append(open, key)
			}
		}
		if len(open) == 0 {
			return nil
		}
		return o.add(messageRecord{Keys: open, Phase: settledPhase, Outcome: outcome, At: b.stamp()})
	}))
}
