package pagerduty

import (
	"context"
	"errors"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/stages/internal/post"
)

// Type is the notify type "pagerduty".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Notify, Label: "pagerduty", Rev: 1,
		Spec: stage.Schema{
			Doc: "Triggers an incident by the PagerDuty Events API v2. The event `failed` has the configured severity, all others `info`.",
			Attrs: []stage.Attr{
				{Name: "routing_key", Type: stage.SecretType, Required: true, Doc: "The integration's routing key, by the name of the environment variable that holds it."},
				{Name: "endpoint", Type: cty.String, Default: cty.StringVal("https://events.pagerduty.com/v2/enqueue"), Doc: "The address of the service, such as that of another region."},
				{Name: "severity", Type: cty.String, Default: cty.StringVal("critical"), OneOf: []string{"critical", "error", "warning", "info"}, Doc: "The severity of failures."},
				{Name: "source", Type: cty.String, Default: cty.StringVal("pipe"), Doc: "What reports the incident."},
				{Name: "component", Type: cty.String, Doc: "The part that is affected; by default the address of the node."},
				{Name: "timeout_seconds", Type: cty.Number, Default: cty.NumberIntVal(5), Doc: "How long one attempt may take."},
			},
			Example: `notify "pagerduty" "on_call" {
  routing_key = secret("PAGERDUTY_ROUTING_KEY")
  on          = ["failed"]
}`,
		},
		New: newRunner,
	}
}

type config struct {
	RoutingKey     *stage.Secret `cty:"routing_key"`
	Endpoint       string        `cty:"endpoint"`
	Severity       string        `cty:"severity"`
	Source         string        `cty:"source"`
	Component      *string       `cty:"component"`
	TimeoutSeconds float64       `cty:"timeout_seconds"`
}

func newRunner(c config) (stage.Runner, error) {
	if c.TimeoutSeconds <= 0 || c.TimeoutSeconds > 300 {
		return nil, stage.Attrf("timeout_seconds", "timeout_seconds is %v: it must be above 0 and at most 300", c.TimeoutSeconds)
	}
	if err := post.CheckURL(c.Endpoint); err != nil {
		return nil, stage.Attrf("endpoint", "%w", err)
	}
	if c.Source == "" {
		return nil, stage.Attrf("source", "source is empty: say what reports the incident")
	}
	return &notifier{c}, nil
}

type notifier struct{ config }

var _ stage.Notifier = (*notifier)(nil)

// Run implements stage.Runner.
func (n *notifier) Run(context.Context, stage.Env, stage.Inputs, *stage.Output) error {
	return errors.New("a notify block hears of events and does not run")
}

// Notify implements stage.Notifier.
func (n *notifier) Notify(ctx context.Context, env stage.Env, m stage.Message) error {
	key, err := env.Secret(n.RoutingKey)
	if err != nil {
		return err
	}
	return post.Send(ctx, post.Request{Service: "PagerDuty", URL: n.Endpoint, Body: n.event(key, m), Secrets: []string{key},
		Header: map[string]string{"Idempotency-Key": m.Key}, Now: env.Now,
		Timeout: time.Duration(n.TimeoutSeconds * float64(time.Second))})
}

const maxSummary = 1024 // characters that the service takes

type event struct {
	RoutingKey  string  `json:"routing_key"`
	EventAction string  `json:"event_action"`
	DedupKey    string  `json:"dedup_key"`
	Client      string  `json:"client"`
	Payload     payload `json:"payload"`
}

type payload struct {
	Summary       string            `json:"summary"`
	Source        string            `json:"source"`
	Severity      string            `json:"severity"`
	Timestamp     string            `json:"timestamp"`
	Component     string            `json:"component,omitempty"`
	Group         string            `json:"group"`
	Class         string            `json:"class"`
	CustomDetails map[string]string `json:"custom_details"`
}

func (n *notifier) event(key string, m stage.Message) event {
	p := payload{Summary: cut(m.Title, maxSummary), Source: n.Source, Severity: "info", Timestamp: m.At.UTC().Format(time.RFC3339),
		Component: m.Address, Group: m.Pipeline, Class: m.Event, CustomDetails: map[string]string{}}
	if m.Event == "failed" {
		p.Severity = n.Severity
	}
	if n.Component != nil {
		p.Component = *n.Component
	}
	for name, v := range m.Facts {
		p.CustomDetails[name] = v
	}
	for name, v := range map[string]string{"pipeline": m.Pipeline, "environment": m.Environment, "run": m.Run,
		"plan_digest": string(m.PlanDigest), "address": m.Address, "text": m.Text} {
		if v != "" {
			p.CustomDetails[name] = v
		}
	}
	return event{RoutingKey: key, EventAction: "trigger", DedupKey: m.Key, Client: "pipe", Payload: p}
}

func cut(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}
