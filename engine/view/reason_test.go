package view

import (
	"encoding/json"
	"strings"
	"testing"

	"pipe/engine/addr"
	"pipe/engine/plan"
)

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestReasons(t *testing.T) {
	const a, b = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	bars := addr.New(addr.Stage, "bars")
	query := "select id, price, volume, timestamp, symbol from bars where symbol = 'EURUSD' and price > %s order by timestamp"
	for _, c := range []struct {
		name string
		r    plan.Reason
		want string
	}{
		{"new", plan.Reason{Code: plan.New}, ""},
		{"number", plan.Reason{Code: plan.ConfigChanged, Path: "epochs", Before: raw(200), After: raw(300)}, "epochs: 200 -> 300"},
		{"set", plan.Reason{Code: plan.ConfigChanged, Path: "seed", After: raw(7)}, "seed: (none) -> 7"},
		{"list", plan.Reason{Code: plan.ConfigChanged, Path: "pairs[1]", Before: raw("EURUSD"), After: raw("")}, `pairs[1]: "EURUSD" -> ""`},
		{"reference", plan.Reason{Code: plan.ConfigChanged, Path: "source", Before: raw(map[string]string{"$input": "source"}),
			After: raw(map[string]string{"$secret": "TOKEN"})}, `source: input source -> secret("TOKEN")`},
		{"long line", plan.Reason{Code: plan.ConfigChanged, Path: "query", Before: raw(strings.Replace(query, "%s", "1", 1)),
			After: raw(strings.Replace(query, "%s", "2", 1))},
			"query:\n- … = 'EURUSD' and price > 1 order by timestamp\n+ … = 'EURUSD' and price > 2 order by timestamp"},
		{"lines", plan.Reason{Code: plan.ConfigChanged, Path: "query", Before: raw("-- a\nselect 1\nfrom x\nwhere y\n"), After: raw("select 1\nfrom x\nwhere z\n")},
			"query:\n- -- a\n  select 1\n  from x\n- where y\n+ where z"},
		{"escape sequences", plan.Reason{Code: plan.ConfigChanged, Path: "text", Before: raw("\x1b[2J\n"), After: raw("x\n")},
			"text:\n- ·[2J\n+ x"},
		{"observed", plan.Reason{Code: plan.InputChanged, Path: "observed", Before: raw(a), After: raw(b)}, "content: aaaaaaaaaaaa -> bbbbbbbbbbbb"},
		{"input", plan.Reason{Code: plan.InputChanged, Input: "bars", Address: bars, Before: raw(a), After: raw(b)}, "input bars: aaaaaaaaaaaa -> bbbbbbbbbbbb"},
		{"other label", plan.Reason{Code: plan.InputChanged, Input: "source", Address: bars, Before: raw(a), After: raw(b)},
			"input source (stage.bars): aaaaaaaaaaaa -> bbbbbbbbbbbb"},
		{"pending", plan.Reason{Code: plan.InputPending, Input: "source", Address: bars}, "waits for stage.bars (input source)"},
		{"type", plan.Reason{Code: plan.TypeChanged, Before: raw("sql"), After: raw("exec")}, `type: "sql" -> "exec"`},
		{"missing", plan.Reason{Code: plan.ArtifactMissing, Before: raw(a), Detail: "it is no longer in the store"},
			"artifact aaaaaaaaaaaa is missing: it is no longer in the store"},
		{"drifted", plan.Reason{Code: plan.Drifted, Path: "x.csv", Before: raw(a), After: raw(b)},
			"x.csv was changed since it was put there: aaaaaaaaaaaa -> bbbbbbbbbbbb"},
		{"gone", plan.Reason{Code: plan.Drifted, Path: "x.csv", Before: raw(a)}, "x.csv was removed since it was put there"},
		{"severity", plan.Reason{Code: plan.ExpectationChanged, Path: "t(c)", Before: raw(expectation{"t", raw(map[string]any{"column": "c"}), "warn"}),
			After: raw(expectation{"t", raw(map[string]any{"column": "c", "mostly": 0.9}), "error"})},
			`expectation t(c): mostly: (none) -> 0.9, severity: "warn" -> "error"`},
		{"order", plan.Reason{Code: plan.ExpectationChanged, Detail: "the order of the expectations"}, "expectations: the order of the expectations"},
		{"failure", plan.Reason{Code: plan.PreviousFailure, Detail: "exit status 1\ntraceback\x1b[0m"}, "the last attempt failed: exit status 1 …"},
	} {
		if got := strings.Join(reason(&c.r, plan.Normal, Style{}), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestDiffIsCut(t *testing.T) {
	before := strings.Repeat("a\nb\n", 40)
	after := strings.Repeat("a\nc\n", 40)
	lines := lineDiff(before, after)
	if len(lines) != maxDiffLines+1 || lines[maxDiffLines] != "  …" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestDiffShowsGaps(t *testing.T) {
	before := "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
	after := "1\nX\n3\n4\n5\n6\n7\nY\n9\n"
	want := "  1\n- 2\n+ X\n  3\n  …\n  7\n- 8\n+ Y\n  9"
	if got := strings.Join(lineDiff(before, after), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
