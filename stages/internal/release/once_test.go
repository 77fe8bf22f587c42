package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/internal/release"
)

// node does effects and writes down their keys.
type node struct {
	t       *testing.T
	journal *jt.Journal
	acted   []string
	gone    bool // what was done is no longer in force
	fails   bool
}

var errDown = errors.New("down")

func (n *node) do(base string) string {
	n.t.Helper()
	_, raw, err := release.Once(context.Background(), n.journal, release.Effect{Base: base, Intent: base,
		Holds: func(context.Context, json.RawMessage) (bool, error) { return !n.gone, nil },
		Act: func(_ context.Context, key string, at stage.Attempt) (any, error) {
			if n.fails {
				return nil, errDown
			}
			n.acted = append(n.acted, key)
			return "did " + base, nil
		}})
	if n.fails {
		if !errors.Is(err, errDown) {
			n.t.Fatalf("the error is %v", err)
		}
		return ""
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return string(raw)
}

func (n *node) undo(key string) {
	n.t.Helper()
	if err := n.journal.Undo(context.Background(), key); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) expect(keys string) {
	n.t.Helper()
	if got := strings.Join(n.acted, " "); got != keys {
		n.t.Errorf("acted as %s, want %s", got, keys)
	}
}

func TestOnce(t *testing.T) {
	n := &node{t: t, journal: jt.New(filepath.Join(t.TempDir(), "journal"))}
	n.do("a")
	if got := n.do("a"); got != `"did a"` { // the last, and in force
		t.Errorf("the result is %s", got)
	}
	n.expect("a.1")
	n.do("b")
	n.do("a") // came back
	n.do("a")
	n.expect("a.1 b.2 a.3")
	n.gone = true
	n.do("a") // somebody took it back
	n.expect("a.1 b.2 a.3 a.4")
	n.gone, n.fails = false, true
	n.do("b")
	n.do("b") // a failed attempt keeps its number
	n.fails = false
	n.do("b")
	n.expect("a.1 b.2 a.3 a.4 b.5")
	n.undo("a.1")
	n.undo("b.2")
	n.do("a") // no number is given twice while it is in use
	n.expect("a.1 b.2 a.3 a.4 b.5 a.6")
}
