package stage_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/artifact"
	"pipe/engine/stage"
)

func TestInputs(t *testing.T) {
	in := stage.Inputs{
		{Label: "bars", Artifact: &artifact.Artifact{Info: artifact.Info{Main: "sub/x.json"}}, Dir: "/store/a"},
		{Label: `m["1"]`, Artifact: &artifact.Artifact{}}, {Label: `m["2"]`, Artifact: &artifact.Artifact{}},
		{Label: `months["1"]`, Artifact: &artifact.Artifact{}},
	}
	bars, err := in.Get("bars")
	if err != nil || bars.Table() != filepath.FromSlash("/store/a/sub/x.json") || bars.Path("y/z") != filepath.FromSlash("/store/a/y/z") {
		t.Errorf("%+v, %v", bars, err)
	}
	if in[1].Table() != "" {
		t.Error("an artifact without a table has one")
	}
	if _, err := in.Get("m"); err == nil || err.Error() != `there is no input "m"` {
		t.Error(err)
	}
	for name, want := range map[string]int{"bars": 1, "m": 2, "months": 1, "mon": 0} {
		if got := in.Group(name); len(got) != want {
			t.Errorf("%s: %d inputs, want %d", name, len(got), want)
		}
	}
}

func TestOutput(t *testing.T) {
	out := &stage.Output{Dir: "/out"}
	out.Table("data.parquet", 3)
	out.Fact("symbol", "EURUSD")
	if err := out.Metric("auc", 0.5); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if err := out.Metric("bad", bad); err == nil || !strings.HasPrefix(err.Error(), "metric bad is not a finite number") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	want := artifact.Info{Main: "data.parquet", Rows: 3, Metrics: map[string]float64{"auc": 0.5}, Facts: map[string]string{"symbol": "EURUSD"}}
	if d := cmp.Diff(want, out.Info()); d != "" {
		t.Error(d)
	}
	if out.Path("a/b") != filepath.FromSlash("/out/a/b") {
		t.Error(out.Path("a/b"))
	}
}

func TestSecret(t *testing.T) {
	env := stage.Env{Getenv: func(name string) (string, bool) { return map[string]string{"SET": "x"}[name], name != "UNSET" }}
	if v, err := env.Secret(&stage.Secret{Name: "SET"}); v != "x" || err != nil {
		t.Error(v, err)
	}
	for _, name := range []string{"UNSET", "EMPTY"} {
		if _, err := env.Secret(&stage.Secret{Name: name}); err == nil || !strings.Contains(err.Error(), "the environment variable "+name) {
			t.Error(err)
		}
	}
	if _, err := env.Secret(nil); err == nil {
		t.Error("no secret has a value")
	}
}

// Paths of plan files stay where the plan file may look, also by way of links.
func TestPath(t *testing.T) {
	base := t.TempDir()
	work, other, outside := filepath.Join(base, "work"), filepath.Join(base, "other"), filepath.Join(base, "outside")
	for _, d := range []string{filepath.Join(work, "sub"), other, outside, filepath.Join(base, "work-two")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out": outside, "in": filepath.Join(work, "sub"), "dangling": filepath.Join(outside, "none")} {
		if err := os.Symlink(target, filepath.Join(work, link)); err != nil {
			t.Fatal(err)
		}
	}
	env := stage.Env{WorkDir: work, Roots: []string{other}}
	for path, want := range map[string]string{
		"x.csv": filepath.Join(work, "x.csv"), "./sub/../x": filepath.Join(work, "x"), "sub/new/deep": filepath.Join(work, "sub/new/deep"),
		"in/x": filepath.Join(work, "in/x"), filepath.Join(work, "y"): filepath.Join(work, "y"),
		filepath.Join(other, "z"): filepath.Join(other, "z"), "../other/z": filepath.Join(other, "z"), ".": work,
	} {
		if got, err := env.Path(path); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"../x", "/etc/passwd", "out/x", "out", "../work-two/x", "dangling", "sub/../../outside/x"} {
		if got, err := env.Path(path); err == nil {
			t.Errorf("%s leads to %s", path, got)
		}
	}
}
