package pagerduty_test

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

	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/pagerduty"
)

func message(event string) stage.Message {
	return stage.Message{Event: event, Key: "key-1", Pipeline: "sample", Environment: "prod", Run: "run-1", PlanDigest: "sha256:p",
		Address: "publish.core", Title: "sample (prod): " + event, Text: "publish.core failed: the database is down",
		Facts: map[string]string{"status": "deployed"}, At: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func send(t *testing.T, h http.HandlerFunc, m stage.Message, attrs map[string]cty.Value) error {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	w := jt.NewWorld(t)
	w.Vars["PAGERDUTY_ROUTING_KEY"] = "R0UT1NGK3Y"
	all := map[string]cty.Value{"routing_key": jt.Secret("PAGERDUTY_ROUTING_KEY"), "endpoint": cty.StringVal(s.URL + "/v2/enqueue")}
	for k, v := range attrs {
		all[k] = v
	}
	return jt.Decode(t, pagerduty.Type(), all).(stage.Notifier).Notify(context.Background(), w.Env(), m)
}

func TestEvent(t *testing.T) {
	for event, severity := range map[string]string{"failed": "error", "published": "info"} {
		var got any
		err := send(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/enqueue" {
				t.Errorf("the path is %s", r.URL.Path)
			}
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusAccepted)
		}, message(event), map[string]cty.Value{"severity": cty.StringVal("error"), "component": cty.StringVal("model-pipeline")})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"routing_key": "R0UT1NGK3Y", "event_action": "trigger", "dedup_key": "key-1", "client": "pipe",
			"payload": map[string]any{"summary": "sample (prod): " + event, "source": "pipe", "severity": severity, "timestamp": "2025-01-02T03:04:05Z",
				"component": "model-pipeline", "group": "sample", "class": event, "custom_details": map[string]any{
					"status": "deployed", "pipeline": "sample", "environment": "prod", "run": "run-1", "plan_digest": "sha256:p",
					"address": "publish.core", "text": "publish.core failed: the database is down"}}}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestErrorsShowNoRoutingKey(t *testing.T) {
	err := send(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		w.Write(b) // a service that repeats what it was sent
	}, message("failed"), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "PagerDuty answered 400 Bad Request: ") {
		t.Fatalf("the error is %v", err)
	}
	jt.NoSecret(t, err.Error(), "R0UT1NGK3Y")
}

func TestMistakes(t *testing.T) {
	for want, attrs := range map[string]map[string]cty.Value{
		"must begin with https://": {"endpoint": cty.StringVal("http://events.pagerduty.com/v2/enqueue")},
		`"loud" is not allowed`:    {"severity": cty.StringVal("loud")},
		"source is empty":          {"source": cty.StringVal("")},
		"timeout_seconds is -1":    {"timeout_seconds": cty.NumberIntVal(-1)},
	} {
		attrs["routing_key"] = jt.Secret("X")
		if _, err := jt.TryDecode(pagerduty.Type(), attrs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
