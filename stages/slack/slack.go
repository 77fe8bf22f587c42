package slack

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/stages/internal/post"
)

// Type is the notify type "slack".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Notify, Label: "slack", Rev: 1,
		Spec: stage.Schema{
			Doc: "Posts to a Slack incoming webhook. Messages wait in an outbox until they are delivered; a failure to notify never undoes anything.",
			Attrs: []stage.Attr{
				{Name: "webhook_url", Type: stage.SecretType, Required: true, Doc: "The webhook's URL, by the name of the environment variable that holds it."},
				{Name: "channel", Type: cty.String, Doc: "The channel, such as `#ml-ops`; by default the webhook's own."},
				{Name: "username", Type: cty.String, Default: cty.StringVal("pipe"), Doc: "The name that the message is shown under."},
				{Name: "timeout_seconds", Type: cty.Number, Default: cty.NumberIntVal(5), Doc: "How long one attempt may take."},
			},
			Example: `notify "slack" "ml_ops" {
  webhook_url = secret("SLACK_WEBHOOK_URL")
  channel     = "#ml-ops"
  on          = ["published", "failed"]
}`,
		},
		New: newRunner,
	}
}

type config struct {
	WebhookURL     *stage.Secret `cty:"webhook_url"`
	Channel        *string       `cty:"channel"`
	Username       string        `cty:"username"`
	TimeoutSeconds float64       `cty:"timeout_seconds"`
}

func newRunner(c config) (stage.Runner, error) {
	if c.TimeoutSeconds <= 0 || c.TimeoutSeconds > 300 {
		return nil, stage.Attrf("timeout_seconds", "timeout_seconds is %v: it must be above 0 and at most 300", c.TimeoutSeconds)
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
	url, err := env.Secret(n.WebhookURL)
	if err != nil {
		return err
	}
	secrets := []string{url}
	if i := strings.LastIndexByte(url, '/'); i >= 0 && i+1 < len(url) {
		secrets = append(secrets, url[i+1:]) // the last part is the token
	}
	return post.Send(ctx, post.Request{Service: "Slack", URL: url, Body: n.payload(m), Secrets: secrets,
		Header: map[string]string{"Idempotency-Key": m.Key}, Now: env.Now,
		Timeout: time.Duration(n.TimeoutSeconds * float64(time.Second))})
}

// What Slack takes: characters of a section, and fields of one.
const (
	maxText   = 2900
	maxField  = 500
	maxFields = 10
)

type payload struct {
	Channel     string       `json:"channel,omitempty"`
	Username    string       `json:"username,omitempty"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// markdown is text in which nothing of s means anything to Slack.
func markdown(format, s string, limit int) text {
	return text{Type: "mrkdwn", Text: fmt.Sprintf(format, escape(cut(s, limit)))}
}

func (n *notifier) payload(m stage.Message) payload {
	body := markdown("%s", m.Text, maxText)
	blocks := []block{}
	if body.Text != "" {
		blocks = append(blocks, block{Type: "section", Text: &body})
	}
	if f := fields(m.Facts); len(f) > 0 {
		blocks = append(blocks, block{Type: "section", Fields: f})
	}
	small := fmt.Sprintf("%s (%s), run %s, plan %s, message %s", m.Pipeline, m.Environment, m.Run, m.PlanDigest.Short(), m.Key)
	blocks = append(blocks, block{Type: "context", Elements: []text{markdown("%s", small, maxText)}})
	p := payload{Username: n.Username, Text: markdown("*%s*", m.Title, maxField).Text, Attachments: []attachment{{Color: color(m.Event), Blocks: blocks}}}
	if n.Channel != nil {
		p.Channel = *n.Channel
	}
	return p
}

func color(event string) string {
	if event == "failed" {
		return "#c0392b"
	}
	return "#2e8b57"
}

// fields lists the facts in the order of their names.
func fields(facts map[string]string) []text {
	names := make([]string, 0, len(facts))
	for name := range facts {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(names) > maxFields {
		names = names[:maxFields]
	}
	var list []text
	for _, name := range names {
		list = append(list, text{Type: "mrkdwn", Text: "*" + escape(cut(name, maxField)) + "*\n" + escape(cut(facts[name], maxField))})
	}
	return list
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func cut(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}
