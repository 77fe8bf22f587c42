package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/fault"
	"pipe/engine/plan"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// The events that notify blocks can ask for.
const (
	eventPublished = "published"
	eventFailed    = "failed"
	eventSucceeded = "succeeded"
)

// part is what lies in the outbox: one thing to tell one notifier. Parts of one event are told in one message.
type part struct {
	Notifier addr.Addr         `json:"notifier"`
	Event    string            `json:"event"`
	Line     string            `json:"line"`
	Address  addr.Addr         `json:"address,omitzero"`
	Run      string            `json:"run"`
	Plan     digest.Digest     `json:"plan"`
	At       time.Time         `json:"at"`
	Facts    map[string]string `json:"facts,omitempty"`
}

// queuePublished puts word of a publish into the outbox before the publish is committed, so that a crash in between
// loses nothing; the key makes a repeated run put it only once.
func (n *nodeRun) queuePublished(ctx context.Context, e *state.Entry) error {
	line := fmt.Sprintf("%s (%s) published", e.Address, e.Type)
	if v := e.Info.Facts["model_version"]; v != "" {
		line += " " + v
	}
	if v := e.Info.Facts["status"]; v != "" {
		line += " as " + v
	}
	return n.queue(ctx, eventPublished, []any{e.Fingerprint.Digest(), e.Artifact, e.Type},
		part{Line: line, Address: e.Address, Facts: e.Info.Facts})
}

// queue puts one part for each notifier that asked for the event.
func (r *run) queue(ctx context.Context, event string, identity any, p part) error {
	p.Event, p.Run, p.Plan, p.At = event, r.record.ID, r.digest, r.Now().UTC()
	for _, to := range r.plan.Notifiers {
		if !slices.Contains(to.On, event) {
			continue
		}
		p.Notifier = to.Address
		body, err := digest.Canonical(p)
		if err != nil {
			return err
		}
		key := digest.JSON([]any{to.Address, event, identity}).Hex()[:32]
		if err := r.Lease.Outbox().Put(ctx, key, body); err != nil {
			return err
		}
	}
	return nil
}

// queueRunMessages puts word of how the run ended.
func (r *run) queueRunMessages(ctx context.Context, res *Result) error {
	switch res.Outcome {
	case Failed:
		for _, n := range res.Nodes {
			if n.Outcome != Failed && n.Outcome != Rejected {
				continue
			}
			line := fmt.Sprintf("%s failed: %s", n.Address, n.Error)
			if failed := check.Failed(n.Results); len(failed) > 0 {
				line = fmt.Sprintf("%s was rejected: %s", n.Address, failed[0].Message)
			}
			if err := r.queue(ctx, eventFailed, []any{res.Run, n.Address}, part{Line: line, Address: n.Address}); err != nil {
				return err
			}
		}
	case Succeeded:
		if len(res.Nodes) > 0 {
			line := fmt.Sprintf("%d changes applied", len(res.Nodes))
			return r.queue(ctx, eventSucceeded, res.Run, part{Line: line})
		}
	}
	return nil
}

// bundle is the parts of one event for one notifier.
type bundle struct {
	keys  []string
	parts []part
}

// deliver sends what waits in the outbox. A message that can't be delivered stays there for the next run and gives a
// warning: a failure to notify never undoes anything.
func (r *run) deliver(ctx context.Context) (warnings []string, err error) {
	pending, err := r.Lease.Outbox().Pending(ctx)
	if err != nil {
		return nil, err
	}
	bundles, order, err := bundleUp(pending)
	if err != nil {
		return nil, err
	}
	for _, id := range order {
		b := bundles[id]
		to, ok := r.notifier(b.parts[0].Notifier)
		if !ok {
			if err := r.Lease.Outbox().Settle(ctx, b.keys, "given up: the notify block is gone"); err != nil {
				return nil, err
			}
			continue
		}
		ev := Event{Type: Notified, Address: to.Address, Outcome: "delivered"}
		r.Faults.Hit(fault.BeforeNotify)
		if sendErr := r.send(ctx, to, b); sendErr != nil {
			ev.Outcome, ev.Error = Failed, sendErr.Error()
			warnings = append(warnings, fmt.Sprintf("%s could not be notified; the message is kept and sent with the next apply: %v", to.Address, sendErr))
		} else {
			r.Faults.Hit(fault.NotifySent)
			if err := r.Lease.Outbox().Settle(ctx, b.keys, "delivered"); err != nil {
				return nil, err
			}
			r.Faults.Hit(fault.AfterNotify)
		}
		r.events.emit(ev)
	}
	return warnings, nil
}

func bundleUp(pending []state.Pending) (map[string]*bundle, []string, error) {
	bundles := map[string]*bundle{}
	var order []string
	for _, p := range pending {
		var one part
		if err := json.Unmarshal(p.Message, &one); err != nil {
			return nil, nil, fmt.Errorf("the outbox holds a message that can't be read: %w", err)
		}
		id := one.Notifier.String() + " " + one.Event
		if bundles[id] == nil {
			bundles[id] = &bundle{}
			order = append(order, id)
		}
		bundles[id].keys = append(bundles[id].keys, p.Key)
		bundles[id].parts = append(bundles[id].parts, one)
	}
	return bundles, order, nil
}

func (r *run) notifier(a addr.Addr) (plan.Notifier, bool) {
	for _, n := range r.plan.Notifiers {
		if n.Address == a {
			return n, true
		}
	}
	return plan.Notifier{}, false
}

// send makes one message of the bundle and tries a few times to deliver it.
func (r *run) send(ctx context.Context, to plan.Notifier, b *bundle) error {
	runner, err := r.runner(addr.Notify, to.Type, 0, to.Config)
	if err != nil {
		return err
	}
	notifier, ok := runner.(stage.Notifier)
	if !ok {
		return fmt.Errorf("%s type %q can't notify", addr.Notify, to.Type)
	}
	env := stage.Env{Log: r.Log.Named(to.Address.String()), Now: r.Now, Getenv: r.Getenv, WorkDir: r.WorkDir, Roots: r.Roots,
		Run: stage.RunInfo{ID: r.record.ID, PlanDigest: r.digest, Pipeline: r.plan.Pipeline, Environment: r.plan.Environment,
			Actor: r.Actor, SourceRevision: r.SourceRevision, Node: to.Address}}
	m := r.message(b)
	retry := config.Retry{Attempts: 3, Backoff: config.Duration(250 * time.Millisecond)}
	for i := 1; ; i++ {
		err := guarded(func() error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			return notifier.Notify(ctx, env, m)
		})
		if err == nil || i == retry.Attempts {
			return err
		}
		time.Sleep(backoff(retry, i))
	}
}

func (r *run) message(b *bundle) stage.Message {
	last := b.parts[len(b.parts)-1]
	m := stage.Message{Event: last.Event, Key: digest.JSON(b.keys).Hex()[:32], Pipeline: r.plan.Pipeline,
		Environment: r.plan.Environment, Run: last.Run, PlanDigest: last.Plan, Address: last.Address.String(), At: last.At,
		Facts: map[string]string{}}
	lines := make([]string, len(b.parts))
	for i, p := range b.parts {
		lines[i] = p.Line
		for k, v := range p.Facts {
			m.Facts[k] = v
		}
	}
	sort.Strings(lines)
	m.Title = fmt.Sprintf("%s (%s): %s", m.Pipeline, m.Environment, m.Event)
	m.Text = strings.Join(lines, "\n")
	return m
}

// Flush delivers what an earlier run left in the outbox, for an apply without changes. It returns warnings.
func (x *Executor) Flush(ctx context.Context, p *plan.Plan, o Options) ([]string, error) {
	r := &run{Executor: x, Options: o, plan: p, digest: p.Digest(), events: &emitter{sink: o.Sink, now: x.Now}}
	return r.deliver(ctx)
}
