package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/rdb"
	"pipe/stages/internal/release"
)

const name = "redis"

// Type is the publish type "redis".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Publish, Label: name, Rev: 1,
		Spec: stage.Schema{
			Doc: "Sets a key to the active version and sends a message on a channel, in one transaction, for inference processes.\n\n" +
				"With `registry`, or when `model` is a `model_registry` publish, only a version that was deployed is made active. " +
				"The message is a JSON object with `event` (`published` or `removed`), `model_version`, `previous_version`, " +
				"`artifact_path`, `artifact_digest`, `plan_digest`, `at` and `idempotency_key`. `pipe destroy` deletes the key if it still holds the version.",
			Attrs: append([]stage.Attr{
				{Name: "url", Type: stage.SecretType, Required: true, Doc: "The URL of the server, by the name of the environment variable that holds it."},
				{Name: "key", Type: cty.String, Default: cty.StringVal("pipe:active_model_version"), Doc: "The key that holds the version. `<key>:meta` is a hash with the rest."},
				{Name: "channel", Type: cty.String, Default: cty.StringVal("pipe:model_published"), Doc: "The channel of the message; empty for none."},
				{Name: "model", Type: stage.HandleType, Required: true, Doc: "The artifact whose version becomes active."},
				{Name: "registry", Type: stage.HandleType, Doc: "The `model_registry` publish that must have deployed it."},
				{Name: "files", Type: stage.HandleType, Doc: "The `files` publish: where the files lie."},
			}, release.VersionAttrs()...),
			Example: `publish "redis" "serving" {
  url      = secret("REDIS_URL")
  model    = stage.model
  registry = publish.core
}`,
		},
		New: newRunner,
	}
}

type config struct {
	URL         *stage.Secret `cty:"url"`
	Key         string        `cty:"key"`
	Channel     string        `cty:"channel"`
	Model       *stage.Handle `cty:"model"`
	Registry    *stage.Handle `cty:"registry"`
	Files       *stage.Handle `cty:"files"`
	Version     *string       `cty:"version"`
	VersionFact string        `cty:"version_fact"`
}

func newRunner(c config) (stage.Runner, error) {
	if err := release.CheckVersion(c.Version); err != nil {
		return nil, err
	}
	if c.Key == "" {
		return nil, stage.Attrf("key", "key is empty: name the key that holds the active version")
	}
	return &runner{c}, nil
}

type runner struct{ config }

var (
	_ stage.Runner  = (*runner)(nil)
	_ stage.Remover = (*runner)(nil)
)

// intent is what is recorded before anything is sent.
type intent struct {
	Secret  string  `json:"secret"`
	Place   string  `json:"place"`
	Key     string  `json:"key"`
	Channel string  `json:"channel"`
	Node    string  `json:"node"`
	Message message `json:"message"`
}

// message is what is sent on the channel.
type message struct {
	Event          string        `json:"event"` // published or removed
	Version        string        `json:"model_version"`
	Previous       string        `json:"previous_version,omitempty"`
	ArtifactPath   string        `json:"artifact_path,omitempty"`
	ArtifactDigest digest.Digest `json:"artifact_digest"`
	PlanDigest     digest.Digest `json:"plan_digest"`
	Pipeline       string        `json:"pipeline"`
	Environment    string        `json:"environment"`
	Run            string        `json:"run"`
	At             time.Time     `json:"at"`
	Key            string        `json:"idempotency_key"`
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	model, err := in.Get("model")
	if err != nil {
		return err
	}
	version, err := release.Version(r.Version, r.VersionFact, model)
	if err != nil {
		return err
	}
	artifactPath := release.Fact(append(in.Group("files"), append(in.Group("registry"), model)...), release.FactArtifactPath)
	rec := release.Receipt{Target: name, Version: version, Status: "active",
		Key:     release.Key(name, r.URL.Name, r.Key, r.Channel, version, model.Artifact.Digest()),
		Details: map[string]string{"key": r.Key, "channel": r.Channel}}
	facts := map[string]string{release.FactArtifactPath: artifactPath}
	status, err := registered(append(in.Group("registry"), model), version)
	if err != nil {
		return err
	}
	if status != "" && status != "deployed" {
		rec.Status, rec.Details["reason"] = "skipped", "the registry says "+status
		env.Log.Info("not made active", "version", version, "status", status)
		return rec.Write(out, facts)
	}
	url, err := env.Secret(r.URL)
	if err != nil {
		return err
	}
	place, err := rdb.Place(url)
	if err != nil {
		return fmt.Errorf("secret(%q): %w", r.URL.Name, err)
	}
	want := intent{Secret: r.URL.Name, Place: place, Key: r.Key, Channel: r.Channel, Node: env.Run.Node.String(), Message: message{Event: "published", Version: version,
		ArtifactPath: artifactPath, ArtifactDigest: model.Artifact.Digest(), PlanDigest: env.Run.PlanDigest,
		Pipeline: env.Run.Pipeline, Environment: env.Run.Environment, Run: env.Run.ID, At: env.Now().UTC()}}
	_, _, err = release.Once(ctx, env.Journal, release.Effect{
		Base: release.Key(name, place, r.Key, r.Channel, version, model.Artifact.Digest()), Intent: want,
		Holds: func(ctx context.Context, _ json.RawMessage) (bool, error) { return r.holds(ctx, env, want) },
		Act: func(ctx context.Context, key string, at stage.Attempt) (any, error) {
			var first intent
			if err := json.Unmarshal(at.Intent, &first); err != nil {
				return nil, fmt.Errorf("the journal's record can't be read: %w", err)
			}
			m := first.Message
			first.Message.Key = release.Key(key, m.Run, m.Pipeline, m.Environment, first.Node)
			return activate(ctx, url, first)
		},
	})
	if err != nil {
		return err
	}
	return rec.Write(out, facts)
}

// registered returns what the registry says of the version, "" if no registry was asked.
func registered(in stage.Inputs, version string) (string, error) {
	for _, i := range in {
		f := i.Artifact.Facts
		if i.Label != "registry" && f[release.FactTarget] != "model_registry" {
			continue
		}
		if got := f[release.ModelVersion]; got != version {
			return "", fmt.Errorf("the input %q has registered version %q, and the model has version %q: let both read the same model", i.Label, got, version)
		}
		return f[release.FactStatus], nil
	}
	return "", nil
}

// holds reports whether the key still has the version.
func (r *runner) holds(ctx context.Context, env stage.Env, want intent) (bool, error) {
	url, err := env.Secret(r.URL)
	if err != nil {
		return false, err
	}
	s, err := rdb.Open(ctx, url)
	if err != nil {
		return false, err
	}
	defer s.Close()
	got, err := s.Get(ctx, want.Key).Result()
	if errors.Is(err, goredis.Nil) {
		return false, nil
	}
	return got == want.Message.Version, s.Clean(err)
}

// Inspect implements stage.Inspector: it looks whether the key still has the version that was made active last.
func (r *runner) Inspect(ctx context.Context, env stage.Env, last stage.Input) ([]string, error) {
	rec, err := release.ReadReceipt(last)
	if err != nil || rec.Status != "active" || rec.Details["key"] != r.Key {
		return nil, err
	}
	ok, err := r.holds(ctx, env, intent{Key: r.Key, Message: message{Version: rec.Version}})
	if err != nil || ok {
		return nil, err
	}
	return []string{fmt.Sprintf("key %s: it does not have the version %s", r.Key, rec.Version)}, nil
}

func metaKey(key string) string { return key + ":meta" }

// result is what the transaction found.
type result struct {
	Previous string `json:"previous,omitempty"`
}

// activate sets the key and sends the message, unless this very effect was done before.
func activate(ctx context.Context, url string, want intent) (any, error) {
	s, err := rdb.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var res result
	err = transact(ctx, s, want, func(tx *goredis.Tx, present string) (func(goredis.Pipeliner) error, error) {
		meta, err := tx.HGetAll(ctx, metaKey(want.Key)).Result()
		if err != nil {
			return nil, err
		}
		m := want.Message
		if meta["idempotency_key"] == m.Key && present == m.Version {
			res.Previous = meta["previous_version"]
			return nil, nil
		}
		res.Previous = present
		m.Previous = present
		return func(p goredis.Pipeliner) error {
			p.Set(ctx, want.Key, m.Version, 0)
			p.Del(ctx, metaKey(want.Key))
			p.HSet(ctx, metaKey(want.Key), "model_version", m.Version, "previous_version", m.Previous, "artifact_path", m.ArtifactPath,
				"artifact_digest", string(m.ArtifactDigest), "plan_digest", string(m.PlanDigest), "at", m.At.Format(time.RFC3339), "idempotency_key", m.Key)
			return send(ctx, p, want.Channel, m)
		}, nil
	})
	return res, err
}

func send(ctx context.Context, p goredis.Pipeliner, channel string, m message) error {
	if channel == "" {
		return nil
	}
	b, err := digest.Canonical(m)
	if err != nil {
		return err
	}
	p.Publish(ctx, channel, b)
	return nil
}

// transact reads the present version and then runs the commands that decide returns as one MULTI, again if the key was
// changed in between. decide returns nil when there is nothing to do.
func transact(ctx context.Context, s *rdb.Session, want intent, decide func(tx *goredis.Tx, present string) (func(goredis.Pipeliner) error, error)) error {
	for range 20 {
		err := s.Watch(ctx, func(tx *goredis.Tx) error {
			present, err := tx.Get(ctx, want.Key).Result()
			if err != nil && !errors.Is(err, goredis.Nil) {
				return err
			}
			commands, err := decide(tx, present)
			if err != nil || commands == nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, commands)
			return err
		}, want.Key, metaKey(want.Key))
		if !errors.Is(err, goredis.TxFailedErr) {
			return s.Clean(err)
		}
	}
	return fmt.Errorf("the key %s at %s keeps being changed by somebody else", want.Key, s.Place)
}

// Remove implements stage.Remover: it deletes a key that still holds a version of this node, and says so on the channel.
func (r *runner) Remove(ctx context.Context, env stage.Env, _ *artifact.Artifact) error {
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	for i := len(done) - 1; i >= 0; i-- {
		var was intent
		if err := json.Unmarshal(done[i].Intent, &was); err != nil {
			return fmt.Errorf("the journal's record %s can't be read: %w", done[i].Key, err)
		}
		if err := deactivate(ctx, env, was, done[i].Key); err != nil {
			return fmt.Errorf("take version %s away from the key %s: %w", was.Message.Version, was.Key, err)
		}
		if err := env.Journal.Undo(ctx, done[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// deactivate takes one effect back.
func deactivate(ctx context.Context, env stage.Env, was intent, key string) error {
	url, err := env.Secret(&stage.Secret{Name: was.Secret})
	if err != nil {
		return err
	}
	s, err := rdb.Open(ctx, url)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Place != was.Place {
		return fmt.Errorf("secret(%q) names %s, but this was published to %s: set the variable back", was.Secret, s.Place, was.Place)
	}
	m := was.Message
	m.Event, m.Run, m.PlanDigest, m.At = "removed", env.Run.ID, env.Run.PlanDigest, env.Now().UTC()
	m.Key = release.Key("removed", key, was.Message.Run, was.Node)
	return transact(ctx, s, was, func(_ *goredis.Tx, present string) (func(goredis.Pipeliner) error, error) {
		if present != m.Version {
			return nil, nil
		}
		return func(p goredis.Pipeliner) error {
			p.Del(ctx, was.Key, metaKey(was.Key))
			return send(ctx, p, was.Channel, m)
		}, nil
	})
}
