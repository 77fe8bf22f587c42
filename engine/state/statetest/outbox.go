package statetest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/state"
)

func testOutbox(t *testing.T, b Backend) {
	s, location := b.open(t)
	l := acquire(t, s)
	next := func() {
		t.Helper()
		release(t, l)
		l = acquire(t, b.reopen(t, location))
	}
	put := func(key, message string) {
		t.Helper()
		if err := l.Outbox().Put(t.Context(), key, json.RawMessage(message)); err != nil {
			t.Fatal(err)
		}
	}
	settle := func(outcome string, keys ...string) {
		t.Helper()
		if err := l.Outbox().Settle(t.Context(), keys, outcome); err != nil {
			t.Fatal(err)
		}
	}
	pending := func(want ...string) {
		t.Helper()
		list, err := l.Outbox().Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wanted []state.Pending
		for i := 0; i < len(want); i += 2 {
			wanted = append(wanted, state.Pending{Key: want[i], Message: json.RawMessage(want[i+1])})
		}
		if diff := cmp.Diff(wanted, list); diff != "" {
			t.Error(diff)
		}
	}
	pending()
	put("b", `{"text":"<b>"}`)
	put("a", `1`)
	put("b", `"again"`)
	pending("b", `{"text":"<b>"}`, "a", `1`)
	next()
	pending("b", `{"text":"<b>"}`, "a", `1`)
	settle("delivered", "b")
	settle("delivered", "b")
	put("b", `"once more"`)
	pending("a", `1`)
	put("c", `3`)
	put("d", `4`)
	next()
	put("b", `"in the next lease"`)
	settle("given up: no route", "a", "b", "d")
	pending("c", `3`)
	next()
	pending("c", `3`)
	settle("delivered")
	settle("delivered", "c")
	pending()
	if err := l.Outbox().Settle(t.Context(), []string{"never put"}, "delivered"); err == nil {
		t.Error("a message that was never put was settled")
	}
	if err := l.Outbox().Put(t.Context(), "bad", json.RawMessage(`{`)); err == nil {
		t.Error("a message that is no JSON was put")
	}
	pending()
}
