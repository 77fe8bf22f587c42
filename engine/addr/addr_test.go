package addr_test

import (
	"encoding/json"
	"sort"
	"testing"

	"pipe/engine/addr"
)

func TestSpellingRoundTrips(t *testing.T) {
	for _, a := range []addr.Addr{addr.New(addr.Stage, "bars"), addr.New(addr.Input, "raw").Instance("2025-01"),
		addr.New(addr.Publish, "core").Instance(`a "quoted" ] key`), addr.New(addr.Notify, "n").Instance("")} {
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
	for _, s := range []string{"", "stage", "stage.", "stge.a", "stage.1", "stage.a[", `stage.a["x"`, "stage.a[x]", "stage.a b"} {
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

func FuzzParse(f *testing.F) {
	f.Add(`stage.a["x"]`)
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
