package addr_test

import (
	"encoding/json"
	"sort"
	"testing"

	"pipe/engine/addr"
)

func TestSpellingRoundTrips(t *testing.T) {
	for _, a := range []addr.Addr{addr.New(addr.Stage, "bars"), addr.New(addr.Input, "raw").Instance("2025-01"),
		addr.New(addr.Publish, "core").Instance(`a "quoted" ] key`), addr.New(addr.Notify, "n").Instance(""),
		addr.New(addr.Stage, "x").Instance("k2").In(addr.Module("module.a", "b").Instance(`k"].x`).Module), addr.Module("", "a"),
		addr.Module("module.a", "b").Instance("k")} {
		got, err := addr.Parse(a.String())
		if err != nil || got != a {
			t.Errorf("%s: %v, %v", a, got, err)
		}
		b, err := json.Marshal(map[addr.Addr]addr.Addr{a: a})
		if err != nil {
			t.Fatal(err)
		}
		var back map[addr.Addr]addr.Addr
		if err := json.Unmarshal(b, &back); err != nil || back[a] != a {
			t.Errorf("%s: %v, %v", b, back, err)
		}
	}
}

func TestBadSpellings(t *testing.T) {
	for _, s := range []string{"", "stage", "stage.", "stge.a", "stage.1", "stage.a[", `stage.a["x"`, "stage.a[x]", "stage.a b",
		"module", "module.", "module.a.", "module.a.b", "module.a[", `module.a["x"`, `module.a["x"]y`, "module.a stage.b", "module.a['x'].stage.b",
		`stage.a["x"].b`, "stage.module.a"} {
		if a, err := addr.Parse(s); err == nil {
			t.Errorf("%q is read as %v", s, a)
		}
	}
}

func TestOrder(t *testing.T) {
	list := []addr.Addr{addr.New(addr.Publish, "a"), addr.New(addr.Stage, "b"), addr.New(addr.Stage, "a").Instance("2"),
		addr.New(addr.Input, "z"), addr.New(addr.Stage, "a").Instance("1")}
	sort.Slice(list, func(i, j int) bool { return list[i].Compare(list[j]) < 0 })
	want := []string{"input.z", `stage.a["1"]`, `stage.a["2"]`, "stage.b", "publish.a"}
	for i, a := range list {
		if a.String() != want[i] {
			t.Errorf("%d: %s, want %s", i, a, want[i])
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"stage.a", "stage.a", true}, {"stage.a", `stage.a["k"]`, true}, {`stage.a["k"]`, "stage.a", false}, {"stage.a", "stage.ab", false},
		{"stage.a", "module.m.stage.a", false}, {"module.m", "module.m.stage.a", true}, {"module.m", `module.m["k"].stage.a["x"]`, true},
		{`module.m["k"]`, "module.m.stage.a", false}, {`module.m["k"]`, `module.m["k"].module.n.stage.a`, true}, {"module.m", "module.mm.stage.a", false},
		{"module.m", "module.m", true}, {"module.m", "stage.m", false}, {"module.m.stage.a", `module.m.stage.a["k"]`, true},
	} {
		a, err := addr.Parse(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := addr.Parse(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if a.Covers(b) != c.want {
			t.Errorf("%s covers %s: %v", a, b, !c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`stage.a["x"]`)
	f.Add(`module.a.module.b["k"].stage.x["k2"]`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := addr.Parse(s)
		if err != nil {
			return
		}
		if b, err := addr.Parse(a.String()); err != nil || a != b {
			t.Errorf("%q -> %v -> %v, %v", s, a, b, err)
		}
	})
}
