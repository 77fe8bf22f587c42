package approval

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pipe/engine/digest"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

type person1 struct{ private, public string }

func people(t *testing.T, names ...string) map[string]person1 {
	t.Helper()
	m := map[string]person1{}
	for _, n := range names {
		private, public, err := NewKey(n)
		if err != nil {
			t.Fatal(err)
		}
		m[n] = person1{private, public}
	}
	return m
}

func subject() Subject {
	return Subject{Plan: digest.Bytes([]byte("a plan")), Pipeline: "fx", Environment: "prod", Author: "carol"}
}

func TestTwoApprovals(t *testing.T) {
	who := people(t, "alice", "bob@fx.example", "carol", "mallory")
	p := Policy{Required: 2, Keys: []string{who["alice"].public, who["bob@fx.example"].public, who["carol"].public}, ExcludeAuthor: true}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	s := subject()
	var refused *RefusedError
	if _, err := p.Verify(s, nil, now); !errors.As(err, &refused) || refused.Valid != 0 {
		t.Fatalf("none: %v", err)
	}
	one, by, err := p.Sign(s, nil, who["alice"].private, now)
	if err != nil || by.Name != "alice" {
		t.Fatal(by, err)
	}
	if _, err := p.Verify(s, one, now); !errors.As(err, &refused) || refused.Valid != 1 {
		t.Errorf("one of two: %v", err)
	}
	again, _, err := p.Sign(s, one, who["alice"].private, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(s, again, now); !errors.As(err, &refused) || refused.Valid != 1 {
		t.Errorf("one person twice: %v", err)
	}
	two, _, err := p.Sign(s, one, who["bob@fx.example"].private, now)
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Verify(s, two, now)
	if err != nil || len(list) != 2 || list[0].Name != "alice" || list[1].Name != "bob@fx.example" {
		t.Errorf("two: %v, %v", list, err)
	}
	for name, want := range map[string]string{"carol": "is the plan's author", "mallory": "is not one of the plan's"} {
		if _, _, err := p.Sign(s, one, who[name].private, now); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForged changes every byte of signed approvals, one at a time, and the plan: no change leaves two approvals.
func TestForged(t *testing.T) {
	who := people(t, "alice", "bob")
	p := Policy{Required: 2, Keys: []string{who["alice"].public, who["bob"].public}}
	s := subject()
	signed, _, err := p.Sign(s, nil, who["alice"].private, now)
	if err == nil {
		signed, _, err = p.Sign(s, signed, who["bob"].private, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed {
		forged := append([]byte(nil), signed...)
		forged[i] ^= 1
		if _, err := p.Verify(s, forged, now); err == nil {
			t.Errorf("byte %d changed (%q to %q), and the approvals hold", i, signed[i], forged[i])
		}
	}
	other := s
	other.Plan = digest.Bytes([]byte("a plan!"))
	if _, err := p.Verify(other, signed, now); err == nil || !strings.Contains(err.Error(), "of another plan") {
		t.Errorf("another plan: %v", err)
	}
	other = s
	other.Environment = "dev"
	if _, err := p.Verify(other, signed, now); err == nil {
		t.Error("approvals for prod hold in dev")
	}
}

// TestForeignKey has somebody sign in the name of another, with a key of their own.
func TestForeignKey(t *testing.T) {
	mine, theirs := people(t, "alice"), people(t, "alice")
	p := Policy{Required: 1, Keys: []string{mine["alice"].public}}
	q := Policy{Required: 1, Keys: []string{theirs["alice"].public}}
	signed, _, err := q.Sign(subject(), nil, theirs["alice"].private, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(subject(), signed, now); err == nil || !strings.Contains(err.Error(), "not one of the plan's") {
		t.Errorf("a key of the same name: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	who := people(t, "alice")
	p := Policy{Required: 1, Keys: []string{who["alice"].public + " expires=2026-07-01"}}
	signed, _, err := p.Sign(subject(), nil, who["alice"].private, now)
	if err != nil {
		t.Fatalf("on its last day: %v", err)
	}
	after := time.Date(2026, 7, 2, 0, 0, 0, 0, time.UTC)
	if _, err := p.Verify(subject(), signed, after.Add(-time.Second)); err != nil {
		t.Errorf("in the last second: %v", err)
	}
	if _, err := p.Verify(subject(), signed, after); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("expired: %v", err)
	}
	if _, _, err := p.Sign(subject(), nil, who["alice"].private, after); err == nil {
		t.Error("an expired key signs")
	}
}

func TestPoliciesThatNothingSatisfies(t *testing.T) {
	who := people(t, "alice", "alice@home")
	for _, p := range []Policy{
		{Required: 1}, {Required: 0, Keys: []string{who["alice"].public}},
		{Required: 2, Keys: []string{who["alice"].public, who["alice@home"].public}}, // one person
		{Required: 1, Keys: []string{"alice"}}, {Required: 1, Keys: []string{who["alice"].public + " expires=soon"}},
		{Required: 1, Keys: []string{who["alice"].private}},
	} {
		if err := p.Check(); err == nil {
			t.Errorf("accepted: %+v", p)
		}
	}
	if _, _, err := NewKey("a b"); err == nil {
		t.Error("a name with a space")
	}
}
