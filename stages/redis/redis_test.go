package redis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/internal/testservices"
	"pipe/stages/redis"
)

const key, channel = "test:active", "test:published"

// server is a real Redis with a subscriber.
type server struct {
	t   *testing.T
	url string
	db  *goredis.Client
	sub *goredis.PubSub
	// channels are shared by all logical databases, so the tests of this package have one of their own
	channel string
}

func start(t *testing.T) *server {
	url := testservices.Redis(t)
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, url: url, db: goredis.NewClient(o), channel: fmt.Sprintf("%s:%s:%d", channel, t.Name(), os.Getpid())}
	s.sub = s.db.Subscribe(context.Background(), s.channel)
	if _, err := s.sub.Receive(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.sub.Close(); s.db.Close() })
	return s
}

func (s *server) world(node string) *jt.World {
	w := jt.NewWorld(s.t)
	w.Vars["REDIS_URL"], w.Run.Node.Name = s.url, node
	return w
}

func (s *server) runner(more map[string]cty.Value) stage.Runner {
	attrs := map[string]cty.Value{"model": jt.Ref(), "url": jt.Secret("REDIS_URL"), "key": cty.StringVal(key), "channel": cty.StringVal(s.channel)}
	for k, v := range more {
		attrs[k] = v
	}
	return jt.Decode(s.t, redis.Type(), attrs)
}

func (s *server) active() string {
	v, err := s.db.Get(context.Background(), key).Result()
	if err == goredis.Nil {
		return ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// messages returns event and versions of what was sent so far.
func (s *server) messages() (list []string) {
	s.t.Helper()
	if err := s.db.Publish(context.Background(), s.channel, "end").Err(); err != nil {
		s.t.Fatal(err)
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		m, err := s.sub.ReceiveMessage(ctx)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		if m.Payload == "end" {
			return list
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(m.Payload), &got); err != nil {
			s.t.Fatalf("%s: %v", m.Payload, err)
		}
		if len(got["idempotency_key"]) != 32 {
			s.t.Errorf("the message has the key %q", got["idempotency_key"])
		}
		list = append(list, strings.TrimSpace(got["event"]+" "+got["previous_version"]+">"+got["model_version"]))
	}
}

func (s *server) expect(active string, messages ...string) {
	s.t.Helper()
	if got := s.active(); got != active {
		s.t.Errorf("active is %q, want %q", got, active)
	}
	if got := s.messages(); strings.Join(got, ", ") != strings.Join(messages, ", ") {
		s.t.Errorf("the messages were %q, want %q", got, messages)
	}
}

func TestVersionBecomesActive(t *testing.T) {
	s := start(t)
	w, r := s.world("serving"), s.runner(nil)
	first := w.MustRun(r, "", jt.Model(t, "v1"))
	w.MustRun(r, "", jt.Model(t, "v1"))
	s.expect("v1", "published >v1")
	w.MustRun(r, "", jt.Model(t, "v2"))
	again := w.MustRun(r, "", jt.Model(t, "v1"))
	s.expect("v1", "published v1>v2", "published v2>v1")
	if first.Artifact.Digest() != again.Artifact.Digest() || first.Artifact.Facts["status"] != "active" {
		t.Errorf("the receipts are %+v and %+v", first.Artifact, again.Artifact)
	}
	meta, err := s.db.HGetAll(context.Background(), key+":meta").Result()
	if err != nil || meta["model_version"] != "v1" || meta["previous_version"] != "v2" || meta["plan_digest"] != string(w.Run.PlanDigest) {
		t.Errorf("meta is %v, %v", meta, err)
	}
}

func TestCrashAnywhereSendsOnce(t *testing.T) {
	for _, p := range []jt.Point{jt.BeforeIntent, jt.BeforeEffect, jt.BeforeDone, jt.AfterDone} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			s := start(t)
			w, r := s.world("serving"), s.runner(nil)
			w.Crashes(p, r, jt.Model(t, "v1"))
			w.Run.ID, w.Time = "run-after", w.Time.Add(time.Hour)
			w.MustRun(r, "", jt.Model(t, "v1"))
			s.expect("v1", "published >v1")
		})
	}
}

func TestOnlyDeployedVersionsBecomeActive(t *testing.T) {
	s := start(t)
	w, r := s.world("serving"), s.runner(map[string]cty.Value{"registry": jt.Ref()})
	registered := func(version, status string) stage.Input {
		return jt.Input(t, "registry", map[string]string{"receipt.json": "{}"}, artifact.Info{Facts: map[string]string{
			"target": "model_registry", "model_version": version, "status": status}})
	}
	w.MustRun(r, "", jt.Model(t, "v1"), registered("v1", "deployed"))
	got := w.MustRun(r, "", jt.Model(t, "v2"), registered("v2", "rejected"))
	if got.Artifact.Facts["status"] != "skipped" {
		t.Errorf("the receipt says %v", got.Artifact.Facts)
	}
	if _, err := w.RunNode(r, "", jt.Model(t, "v2"), registered("v3", "deployed")); err == nil || !strings.Contains(err.Error(), `"registry" has registered version "v3"`) {
		t.Errorf("the error is %v", err)
	}
	asModel := registered("v4", "rejected") // the registry's receipt as the model
	asModel.Label = "model"
	w.MustRun(s.runner(nil), "", asModel)
	s.expect("v1", "published >v1")
}

func TestLostKeyIsSetAgain(t *testing.T) {
	s := start(t)
	w, r := s.world("serving"), s.runner(nil)
	w.MustRun(r, "", jt.Model(t, "v1"))
	if err := s.db.Del(context.Background(), key, key+":meta").Err(); err != nil {
		t.Fatal(err)
	}
	w.MustRun(r, "", jt.Model(t, "v1"))
	s.expect("v1", "published >v1", "published >v1")
}

func TestRemove(t *testing.T) {
	s := start(t)
	w, r := s.world("serving"), s.runner(nil)
	w.MustRun(r, "", jt.Model(t, "v1"))
	w.MustRun(r, "", jt.Model(t, "v2"))
	s.messages()
	for range 2 {
		if err := w.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
	}
	s.expect("", "removed >v2")
	if n, _ := s.db.DBSize(context.Background()).Result(); n != 0 {
		t.Errorf("%d keys are left", n)
	}

	w.MustRun(r, "", jt.Model(t, "v1"))
	other := s.world("other")
	other.MustRun(r, "", jt.Model(t, "v9"))
	s.messages()
	if err := w.Remove(r, stage.Input{}); err != nil {
		t.Fatal(err)
	}
	s.expect("v9")
}

// Whoever is last wins, and every message names what it replaced: the transactions form one line.
func TestRacingPublishersFormOneLine(t *testing.T) {
	s := start(t)
	const n = 6
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		w, r, model := s.world(fmt.Sprint("node", i)), s.runner(nil), jt.Model(t, fmt.Sprint("v", i))
		wg.Go(func() { _, errs[i] = w.RunNode(r, "", model) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	present := ""
	for _, m := range s.messages() {
		from, to, _ := strings.Cut(strings.TrimPrefix(m, "published "), ">")
		if from != present {
			t.Errorf("%s was sent while %q was active", m, present)
		}
		present = to
	}
	if present != s.active() {
		t.Errorf("the last message named %q, active is %q", present, s.active())
	}
}

func TestErrorsShowNoPassword(t *testing.T) {
	for url, want := range map[string]string{
		"redis://:s3cr3tpw@127.0.0.1:1/3": "connect to Redis at 127.0.0.1:1/3",
		"http://:s3cr3tpw@host/":          "the value is no Redis URL",
		"redis://:s3cr3tpw@[bad":          "the value is no Redis URL",
	} {
		s := &server{t: t, url: url}
		w := s.world("serving")
		_, err := w.RunNode(s.runner(nil), "", jt.Model(t, "v1"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v", err)
			continue
		}
		jt.NoSecret(t, err.Error(), "s3cr3tpw")
		journal, _ := os.ReadFile(w.JournalPath())
		jt.NoSecret(t, string(journal), "s3cr3tpw")
	}
	w := jt.NewWorld(t)
	if _, err := w.RunNode((&server{t: t}).runner(nil), "", jt.Model(t, "v1")); err == nil || !strings.Contains(err.Error(), `REDIS_URL, named by secret("REDIS_URL"), is not set`) {
		t.Errorf("the error is %v", err)
	}
}

// TestInspect finds a key that was set to something else, and publishing again makes it good.
func TestInspect(t *testing.T) {
	s := start(t)
	w, r := s.world("serving"), s.runner(nil)
	receipt := w.MustRun(r, "", jt.Model(t, "v1"))
	inspect := func() string {
		t.Helper()
		found, err := r.(stage.Inspector).Inspect(context.Background(), w.Env(), receipt)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(found, ", ")
	}
	if got := inspect(); got != "" {
		t.Errorf("just published: %s", got)
	}
	for _, damage := range []func() error{
		func() error { return s.db.Del(context.Background(), key).Err() },
		func() error { return s.db.Set(context.Background(), key, "v0", 0).Err() },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if got := inspect(); got != "key test:active: it does not have the version v1" {
			t.Errorf("found %q", got)
		}
		w.MustRun(r, "", jt.Model(t, "v1"))
		if got := inspect() + s.active(); got != "v1" {
			t.Errorf("after publishing again: %s", got)
		}
	}
}
