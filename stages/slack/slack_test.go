package slack_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/digest"
	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/slack"
)

func message() stage.Message {
	return stage.Message{Event: "published", Key: "key-1", Pipeline: "sample", Environment: "prod", Run: "run-1", PlanDigest: digest.Digest("sha256:0123456789abcdef"),
		Address: "publish.core", Title: "sample (prod): published", Text: "publish.core published <v1> & more",
		Facts: map[string]string{"status": "deployed", "model_version": "v1"}, At: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func send(t *testing.T, h http.HandlerFunc, m stage.Message, attrs map[string]cty.Value) error {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	w := jt.NewWorld(t)
	w.Vars["SLACK_WEBHOOK_URL"] = s.URL + "/services/T1/B1/s3cr3t"
	all := map[string]cty.Value{"webhook_url": jt.Secret("SLACK_WEBHOOK_URL")}
	for k, v := range attrs {
		all[k] = v
	}
	return jt.Decode(t, slack.Type(), all).(stage.Notifier).Notify(context.Background(), w.Env(), m)
}

func TestMessage(t *testing.T) {
	var got any
	var header http.Header
	err := send(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		header = r.Header
		if err := json.Unmarshal(b, &got); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "ok")
	}, message(), map[string]cty.Value{"channel": cty.StringVal("#ml-ops")})
	if err != nil {
		t.Fatal(err)
	}
	mrkdwn := func(s string) map[string]any { return map[string]any{"type": "mrkdwn", "text": s} }
	want := map[string]any{"channel": "#ml-ops", "username": "pipe", "text": "*sample (prod): published*",
		"attachments": []any{map[string]any{"color": "#2e8b57", "blocks": []any{
			map[string]any{"type": "section", "text": mrkdwn("publish.core published &lt;v1&gt; &amp; more")},
			map[string]any{"type": "section", "fields": []any{mrkdwn("*model_version*\nv1"), mrkdwn("*status*\ndeployed")}},
			map[string]any{"type": "context", "elements": []any{mrkdwn("sample (prod), run run-1, plan 0123456789ab, message key-1")}},
		}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if header.Get("Idempotency-Key") != "key-1" {
		t.Errorf("the header is %v", header)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	m := message()
	m.Text, m.Event = strings.Repeat("é", 10000), "failed"
	var got struct {
		Attachments []struct {
			Color  string
			Blocks []struct{ Text struct{ Text string } }
		}
	}
	if err := send(t, func(w http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) }, m, nil); err != nil {
		t.Fatal(err)
	}
	a := got.Attachments[0]
	if n := len([]rune(a.Blocks[0].Text.Text)); n != 2900 || a.Color != "#c0392b" {
		t.Errorf("%d characters in %s", n, a.Color)
	}
}

func TestErrorsShowNoWebhook(t *testing.T) {
	err := send(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "no_service "+r.URL.Path)
	}, message(), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "Slack answered 404 Not Found: no_service ") {
		t.Fatalf("the error is %v", err)
	}
	jt.NoSecret(t, err.Error(), "s3cr3t")
}

func TestMistakes(t *testing.T) {
	_, err := jt.TryDecode(slack.Type(), map[string]cty.Value{"webhook_url": jt.Secret("X"), "timeout_seconds": cty.NumberIntVal(0)})
	if err == nil || !strings.Contains(err.Error(), "timeout_seconds is 0") {
		t.Errorf("the error is %v", err)
	}
	w := jt.NewWorld(t)
	r := jt.Decode(t, slack.Type(), map[string]cty.Value{"webhook_url": jt.Secret("NOT_SET")}).(stage.Notifier)
	if err := r.Notify(context.Background(), w.Env(), message()); err == nil || !strings.Contains(err.Error(), "NOT_SET") {
		t.Errorf("the error is %v", err)
	}
	if err := r.Run(context.Background(), w.Env(), nil, nil); err == nil {
		t.Error("a notifier ran as a node")
	}
}
