package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// base is a plan with a value in every field that can differ.
func base() *plan.Plan {
	bars, model := addr.New(addr.Stage, "bars"), addr.New(addr.Stage, "model")
	return &plan.Plan{
		FormatVersion: plan.FormatVersion, PipeVersion: "0.1.0", Pipeline: "demo", Environment: "dev", Mode: plan.Normal,
		ConfigDigest: digest.Bytes([]byte("config")), State: plan.StateRef{Lineage: "L", Serial: 3, AuditHead: digest.Bytes([]byte("head"))},
		Variables: map[string]plan.Variable{"month": {Value: json.RawMessage(`"2025-01"`)}},
		Notifiers: []plan.Notifier{{Address: addr.New(addr.Notify, "ops"), Type: "slack", Config: json.RawMessage(`{}`), On: []string{"failed"}}},
		Changes: []plan.Change{
			{Address: bars, Kind: addr.Stage, Type: "sql", Action: plan.Update, Certainty: plan.Must, Revision: 1,
				Reasons: []plan.Reason{{Code: plan.ConfigChanged, Path: "query", Before: json.RawMessage(`"a"`), After: json.RawMessage(`"b"`)}},
				Config:  json.RawMessage(`{"cv":{"folds":5},"query":"b"}`), Inputs: []plan.Input{{Label: "raw", Address: addr.New(addr.Input, "raw"), Digest: digest.Bytes([]byte("raw"))}}},
			{Address: model, Kind: addr.Stage, Type: "train", Action: plan.Update, Certainty: plan.May, Revision: 1,
				Reasons: []plan.Reason{{Code: plan.InputPending, Input: "bars", Address: bars}}, After: []addr.Addr{bars},
				Estimate:     &plan.Estimate{SecondsP50: 4, SecondsP90: 5, Runs: 12},
				Expectations: []check.Expectation{{Type: "not_null", Args: json.RawMessage(`{"column":"x"}`), Severity: check.Error}},
				Options:      &config.Options{To: "out", Retry: config.Retry{Attempts: 1}}},
		},
		Summary: plan.Summary{Update: 2, May: 1, NoOp: 4},
	}
}

// spell writes a comparison in one line a difference.
func spell(c *plan.Comparison) string {
	var b strings.Builder
	differences := func(of string, list []plan.Difference) {
		for _, d := range list {
			fmt.Fprintf(&b, "%s %s %s: %s -> %s\n", of, d.Aspect, d.Path, d.Before, d.After)
		}
	}
	differences("plan", c.Plan)
	for _, a := range c.Added {
		fmt.Fprintf(&b, "added %s\n", a.Address)
	}
	for _, a := range c.Removed {
		fmt.Fprintf(&b, "removed %s\n", a.Address)
	}
	for _, ch := range c.Changed {
		differences(ch.Address.String(), ch.Differences)
	}
	return b.String()
}

func TestCompareTellsEveryMeaning(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(p *plan.Plan)
		want string
	}{
		"action":    {func(p *plan.Plan) { p.Changes[0].Action = plan.Recheck }, "stage.bars action : \"update\" -> \"recheck\"\n"},
		"certainty": {func(p *plan.Plan) { p.Changes[1].Certainty = plan.Must }, "stage.model certainty : \"may\" -> \"must\"\n"},
		"cached":    {func(p *plan.Plan) { p.Changes[0].Cached = true }, "stage.bars cached : false -> true\n"},
		"config": {func(p *plan.Plan) { p.Changes[0].Config = json.RawMessage(`{"cv":{"folds":6},"query":"b"}`) },
			"stage.bars config cv.folds: 5 -> 6\n"},
		"input": {func(p *plan.Plan) { p.Changes[0].Inputs[0].Label = "other"; p.Changes[0].Inputs[0].Digest = "" },
			"stage.bars inputs other:  -> {\"label\":\"other\",\"address\":\"input.raw\"}\n" +
				"stage.bars inputs raw: {\"label\":\"raw\",\"address\":\"input.raw\",\"digest\":\"" + string(digest.Bytes([]byte("raw"))) + "\"} -> \n"},
		"reason": {func(p *plan.Plan) {
			p.Changes[1].Reasons = append(p.Changes[1].Reasons, plan.Reason{Code: plan.Requested})
		},
			"stage.model reasons requested:  -> {\"code\":\"requested\"}\n"},
		"expectation": {func(p *plan.Plan) { p.Changes[1].Expectations[0].Severity = "warning" },
			`stage.model expectations not_null(x): {"type":"not_null","args":{"column":"x"},"severity":"error"} -> {"type":"not_null","args":{"column":"x"},"severity":"warning"}` + "\n"},
		"option":      {func(p *plan.Plan) { p.Changes[1].Options.To = "elsewhere" }, "stage.model options to: \"out\" -> \"elsewhere\"\n"},
		"observation": {func(p *plan.Plan) { p.Changes[0].Observation = "sha256:x" }, "stage.bars observation :  -> \"sha256:x\"\n"},
		"gone":        {func(p *plan.Plan) { p.Changes = p.Changes[:1] }, "removed stage.model\n"},
		"more": {func(p *plan.Plan) {
			p.Changes = append(p.Changes, plan.Change{Address: addr.New(addr.Publish, "core"), Kind: addr.Publish, Action: plan.Create})
		}, "added publish.core\n"},
		"variable": {func(p *plan.Plan) { p.Variables["month"] = plan.Variable{Sensitive: true} },
			"plan variables month: {\"value\":\"2025-01\"} -> {\"sensitive\":true}\n"},
		"mode":     {func(p *plan.Plan) { p.Mode = plan.RefreshOnly }, "plan mode : \"normal\" -> \"refresh_only\"\n"},
		"target":   {func(p *plan.Plan) { p.Targets = []addr.Addr{addr.New(addr.Stage, "bars")} }, "plan targets :  -> [\"stage.bars\"]\n"},
		"settings": {func(p *plan.Plan) { p.Settings.Parallelism = 8 }, "plan settings parallelism:  -> 8\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := base()
			tc.edit(p)
			c := plan.Compare(base(), p)
			if c.Empty() {
				t.Fatal("nothing differs in meaning")
			}
			if got := spell(c); tc.want != "" && got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			if back := plan.Compare(p, base()); len(back.Added) != len(c.Removed) || len(back.Removed) != len(c.Added) ||
				len(back.Changed) != len(c.Changed) || len(back.Plan) != len(c.Plan) {
				t.Errorf("the other way round:\n%s", spell(back))
			}
		})
	}
}

func TestCompareIgnoresHowAPlanWasMade(t *testing.T) {
	p := base()
	p.Author = "bob"
	p.PipeVersion, p.ConfigDigest = "0.2.0", digest.Bytes([]byte("other"))
	p.State = plan.StateRef{Lineage: "M", Serial: 9, AuditHead: digest.Bytes([]byte("later"))}
	p.Changes[1].Estimate = &plan.Estimate{SecondsP50: 40, SecondsP90: 50, Runs: 13}
	p.Changes[1].After = nil
	p.Changes[1].Entry = digest.Bytes([]byte("entry"))
	p.Changes[0], p.Changes[1] = p.Changes[1], p.Changes[0]
	p.Summary.NoOp = 5
	if c := plan.Compare(base(), p); !c.Empty() {
		t.Errorf("differs:\n%s", spell(c))
	}
}

func TestCompareOrderOfExpectations(t *testing.T) {
	two := func(first, second string) *plan.Plan {
		p := base()
		p.Changes[1].Expectations = []check.Expectation{{Type: first, Args: json.RawMessage(`{}`)}, {Type: second, Args: json.RawMessage(`{}`)}}
		return p
	}
	c := plan.Compare(two("a", "b"), two("b", "a"))
	if len(c.Changed) != 1 || !slices.Equal(c.Changed[0].Aspects(), []string{"expectations"}) {
		t.Errorf("got %+v", c)
	}
}

// TestCompareFindsExactlyWhatWasEdited edits random plans and keeps its own books of what was done.
func TestCompareFindsExactlyWhatWasEdited(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		old, now := &plan.Plan{}, &plan.Plan{}
		var added, removed, changed []string
		for i := range 40 {
			c := plan.Change{Address: addr.New(addr.Stage, fmt.Sprintf("n%02d", i)), Action: plan.Update,
				Config: json.RawMessage(fmt.Sprintf(`{"v":%d}`, i)), Reasons: []plan.Reason{{Code: plan.ConfigChanged, Path: "v"}}}
			before, after := c, c
			switch name := c.Address.String(); r.IntN(6) {
			case 0:
				added = append(added, name)
				now.Changes = append(now.Changes, after)
				continue
			case 1:
				removed = append(removed, name)
				old.Changes = append(old.Changes, before)
				continue
			case 2:
				changed = append(changed, name+" config")
				after.Config = json.RawMessage(`{"v":-1}`)
			case 3:
				changed = append(changed, name+" action")
				after.Action = plan.Recheck
			}
			old.Changes, now.Changes = append(old.Changes, before), append(now.Changes, after)
		}
		r.Shuffle(len(old.Changes), func(i, j int) { old.Changes[i], old.Changes[j] = old.Changes[j], old.Changes[i] })
		c := plan.Compare(old, now)
		var gotAdded, gotRemoved, gotChanged []string
		for _, x := range c.Added {
			gotAdded = append(gotAdded, x.Address.String())
		}
		for _, x := range c.Removed {
			gotRemoved = append(gotRemoved, x.Address.String())
		}
		for _, x := range c.Changed {
			gotChanged = append(gotChanged, x.Address.String()+" "+strings.Join(x.Aspects(), "+"))
		}
		slices.Sort(gotRemoved)
		if !slices.Equal(gotAdded, added) || !slices.Equal(gotRemoved, removed) || !slices.Equal(gotChanged, changed) {
			t.Fatalf("seed %d: added %v want %v; removed %v want %v; changed %v want %v", seed, gotAdded, added, gotRemoved, removed, gotChanged, changed)
		}
		if c.Empty() != (len(added)+len(removed)+len(changed) == 0) {
			t.Fatalf("seed %d: empty is %v", seed, c.Empty())
		}
	}
}
