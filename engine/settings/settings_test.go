package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/config"
	"pipe/engine/settings"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"configs/base/x.yaml":     "a: 1\nm: {p: 1, q: {r: 1, s: yes}}\nl: [1, 2]\nn: ~\nbig: 1e-3\nhex: 0x10\n",
		"configs/envs/dev/x.yaml": "m:\n  q: {r: 2}\n  t: new\nl: [3]\n",
	})
	v, err := settings.New(dir, "dev").Topic("x")
	if err != nil {
		t.Fatal(err)
	}
	plain, marks := v.UnmarkDeepWithPaths()
	want := cty.ObjectVal(map[string]cty.Value{"a": cty.NumberIntVal(1), "l": cty.TupleVal([]cty.Value{cty.NumberIntVal(3)}),
		"n": cty.NullVal(cty.DynamicPseudoType), "big": cty.MustParseNumberVal("0.001"), "hex": cty.NumberIntVal(16),
		"m": cty.ObjectVal(map[string]cty.Value{"p": cty.NumberIntVal(1), "t": cty.StringVal("new"),
			"q": cty.ObjectVal(map[string]cty.Value{"r": cty.NumberIntVal(2), "s": cty.StringVal("yes")})})})
	if !plain.RawEquals(want) {
		t.Errorf("got %#v\nwant %#v", plain, want)
	}
	for _, m := range marks {
		for mark := range m.Marks {
			o := mark.(config.Origin)
			overlaid := m.Path.Equals(cty.GetAttrPath("m").GetAttr("t"))
			if overlaid && (o.File != "configs/envs/dev/x.yaml" || o.Line != 3) {
				t.Errorf("m.t comes from %+v", o)
			}
		}
	}
	other, err := settings.New(dir, "prod").Topic("x")
	if err != nil || other.GetAttr("m").Type().HasAttribute("t") {
		t.Errorf("prod sees dev's overlay: %#v, %v", other, err)
	}
}

func TestBadTopics(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"configs/base/list.yaml": "- 1\n", "configs/base/broken.yaml": "a: [1\n", "configs/base/twice.yaml": "a: 1\nb: 2\na: 3\n",
		"configs/envs/dev/only.yaml": "a: 1\n", "configs/base/nan.yaml": "a: .nan\n",
	})
	s := settings.New(dir, "dev")
	for topic, want := range map[string]string{
		"list":   "configs/base/list.yaml must hold a map of settings, such as key: value",
		"broken": "configs/base/broken.yaml is no valid YAML: line 1: did not find expected ',' or ']'",
		"twice":  "configs/base/twice.yaml, line 3: the key a stands here twice",
		"none":   `there is no topic "none": it should be in configs/base/none.yaml; there are broken, list, nan, twice`,
		"only":   `the topic "only" has configs/envs/dev/only.yaml and no base: put all of its keys into configs/base/only.yaml`,
		"../x":   `"../x" can't name a topic: a topic is a file configs/base/<topic>.yaml`,
		"nan":    "configs/base/nan.yaml, line 1: .nan is not a finite number",
	} {
		if _, err := s.Topic(topic); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", topic, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	service := func(n string) (string, bool) { return map[string]string{"SERVICE_ENV": "stg"}[n], n == "SERVICE_ENV" }
	for _, tt := range []struct {
		flag   string
		getenv func(string) (string, bool)
		want   string
	}{{"", none, "dev"}, {"", service, "stg"}, {"prod", service, "prod"}} {
		if got, err := settings.Environment(tt.flag, tt.getenv); got != tt.want || err != nil {
			t.Errorf("%q: %q, %v", tt.flag, got, err)
		}
	}
	if _, err := settings.Environment("../x", none); err == nil || !strings.Contains(err.Error(), "--env") {
		t.Errorf("a path is an environment: %v", err)
	}
}

func TestDotenv(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".env": "# comment\nA=one\nexport B = \"two # \\\"x\\\"\"\nC='thr ee' # not this\nD=four # not this\nP=file\nE=\n"})
	process := func(n string) (string, bool) { return "process", n == "P" }
	getenv, err := settings.Getenv(dir, "dev", process)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "one", "B": `two # "x"`, "C": "thr ee", "D": "four", "P": "process", "E": ""} {
		if got, ok := getenv(name); got != want || !ok {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if getenv, err = settings.Getenv(dir, "prod", process); err != nil {
		t.Fatal(err)
	}
	if _, ok := getenv("A"); ok {
		t.Error(".env is read in prod")
	}
	write(t, dir, map[string]string{".env": "SECRET=ok\nhunter2\n"})
	if _, err := settings.Getenv(dir, "dev", process); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad line: %v", err)
	}
}
