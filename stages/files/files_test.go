package files_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	"pipe/stages/files"
	jt "pipe/stages/internal/journaltest"
)

const version = "20250131_2300-0a1b2c3d"

func configured(t *testing.T, more map[string]cty.Value) stage.Runner {
	attrs := map[string]cty.Value{"model": jt.Ref(), "root": cty.StringVal("storage/models")}
	for k, v := range more {
		attrs[k] = v
	}
	return jt.Decode(t, files.Type(), attrs)
}

func backtest(t *testing.T, label string) stage.Input {
	return jt.Input(t, label, map[string]string{"bt_summary.json": `{"sharpe":1.4}`}, artifact.Info{})
}

func TestPublishWritesWhatSha256sumChecks(t *testing.T) {
	w := jt.NewWorld(t)
	r := configured(t, map[string]cty.Value{"extra": cty.ObjectVal(map[string]cty.Value{"backtest": jt.Ref()})})
	got := w.MustRun(r, "files", jt.Model(t, version), backtest(t, `extra["backtest"]`))

	dir := filepath.Join(w.Dir, "storage/models", version)
	want := []string{"SHA256SUMS", "backtest/bt_summary.json", "checksums.json", "feature_schema.json", "metrics.json",
		"model_ai1.json", "model_ai2.json", "model_card.md", "params.yaml"}
	if d := cmp.Diff(want, jt.Tree(t, dir)); d != "" {
		t.Fatal(d)
	}
	if b, err := exec.Command("sh", "-c", "cd "+dir+" && sha256sum --strict -c SHA256SUMS").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	var doc struct {
		Files    map[string]string
		Metadata map[string]string
	}
	b, _ := os.ReadFile(filepath.Join(dir, "checksums.json"))
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Files) != 7 || doc.Metadata["plan_digest"] != string(w.Run.PlanDigest) || doc.Metadata["model_version"] != version {
		t.Errorf("checksums.json is %s", b)
	}
	for _, f := range want {
		if info, _ := os.Stat(filepath.Join(dir, f)); info.Mode().Perm() != 0o644 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
	facts := map[string]string{"target": "files", "model_version": version, "status": "published", "artifact_path": "storage/models/" + version}
	if d := cmp.Diff(facts, got.Artifact.Facts); d != "" {
		t.Error(d)
	}
}

// The receipt is equal in another process, at another time, under another plan.
func TestReceiptIsDeterministic(t *testing.T) {
	a, b := jt.NewWorld(t), jt.NewWorld(t)
	b.Time, b.Run.ID, b.Run.PlanDigest, b.Run.Actor = b.Time.AddDate(1, 0, 0), "run-2", "sha256:other", "bob@desk"
	x := a.MustRun(configured(t, nil), "files", jt.Model(t, version))
	y := b.MustRun(configured(t, nil), "files", jt.Model(t, version))
	if x.Artifact.Digest() != y.Artifact.Digest() {
		t.Errorf("receipts differ: %+v and %+v", x.Artifact, y.Artifact)
	}
}

func TestEqualVersionIsFineOtherContentIsRefused(t *testing.T) {
	w := jt.NewWorld(t)
	r := configured(t, nil)
	w.MustRun(r, "files", jt.Model(t, version))
	before, _ := os.ReadFile(filepath.Join(w.Dir, "storage/models", version, "checksums.json"))

	other := jt.NewWorld(t) // another node, which knows nothing of the first
	other.Dir, other.Run.Node.Name = w.Dir, "other"
	other.MustRun(r, "files", jt.Model(t, version))
	after, _ := os.ReadFile(filepath.Join(w.Dir, "storage/models", version, "checksums.json"))
	if string(before) != string(after) {
		t.Error("an existing version was written again")
	}

	changed := jt.Input(t, "model", map[string]string{"model_ai1.json": "{}"}, artifact.Info{Facts: map[string]string{"model_version": version}})
	_, err := other.RunNode(r, "files", changed)
	if err == nil || !strings.Contains(err.Error(), "version "+version+" exists with other content (feature_schema.json is not part of it") {
		t.Errorf("the error is %v", err)
	}
	if err := other.Remove(r, changed); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "storage/models", version)); err != nil {
		t.Errorf("a version of another node was removed: %v", err)
	}
}

func TestCrashAnywhereEndsInTheSameDirectory(t *testing.T) {
	for _, p := range []jt.Point{jt.BeforeIntent, jt.BeforeEffect, jt.BeforeDone, jt.AfterDone} {
		w := jt.NewWorld(t)
		r := configured(t, nil)
		w.Crashes(p, r, jt.Model(t, version))
		w.Time = w.Time.AddDate(0, 0, 1)
		w.MustRun(r, "files", jt.Model(t, version))
		if d := cmp.Diff([]string{version}, names(t, filepath.Join(w.Dir, "storage/models"))); d != "" {
			t.Errorf("crash at %d: %s", p, d)
		}
		if err := w.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{}, jt.Tree(t, w.Dir)); d != "" {
			t.Errorf("crash at %d, removed: %s", p, d)
		}
	}
}

// A killed attempt leaves its temporary directory; the next one of the same node sweeps it.
func TestLeftoversAreSwept(t *testing.T) {
	w := jt.NewWorld(t)
	root := filepath.Join(w.Dir, "storage/models")
	leftover := filepath.Join(root, files.TemporaryName(w.Run))
	if err := os.MkdirAll(filepath.Join(leftover, "backtest"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(leftover, "params.yaml"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.MustRun(configured(t, nil), "files", jt.Model(t, version))
	if d := cmp.Diff([]string{version}, names(t, root)); d != "" {
		t.Error(d)
	}
}

func TestHalfAVersionIsNeverSeen(t *testing.T) {
	w := jt.NewWorld(t)
	broken := jt.Model(t, version)
	if err := os.Chmod(broken.Path("params.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken.Path("params.yaml"), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RunNode(configured(t, nil), "files", broken); err == nil || !strings.Contains(err.Error(), "params.yaml does not have the digest") {
		t.Errorf("the error is %v", err)
	}
	if d := cmp.Diff([]string{"storage/models/"}, jt.Tree(t, w.Dir)); d != "" {
		t.Error(d)
	}
}

func TestOldVersionsStayAndRemoveTakesAll(t *testing.T) {
	w := jt.NewWorld(t)
	r := configured(t, nil)
	for _, v := range []string{"v1", "v2", "v1"} {
		w.MustRun(r, "files", jt.Model(t, v))
	}
	if d := cmp.Diff([]string{"v1", "v2"}, names(t, filepath.Join(w.Dir, "storage/models"))); d != "" {
		t.Fatal(d)
	}
	changed := filepath.Join(w.Dir, "storage/models/v2/params.yaml")
	if err := os.WriteFile(changed, []byte("theta1: 9"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := w.Remove(r, stage.Input{})
	if err == nil || !strings.Contains(err.Error(), "storage/models/v2 was changed after it was published (params.yaml differs)") {
		t.Errorf("the error is %v", err)
	}
	if d := cmp.Diff([]string{"v2"}, names(t, filepath.Join(w.Dir, "storage/models"))); d != "" {
		t.Error(d)
	}
	if err := os.RemoveAll(filepath.Dir(changed)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{}, jt.Tree(t, w.Dir)); d != "" {
		t.Error(d)
	}
}

func TestVersionTakenAwayByHandIsPublishedAgain(t *testing.T) {
	w := jt.NewWorld(t)
	r := configured(t, nil)
	w.MustRun(r, "files", jt.Model(t, version))
	dir := filepath.Join(w.Dir, "storage/models", version)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	w.MustRun(r, "files", jt.Model(t, version))
	if len(jt.Tree(t, dir)) != 8 {
		t.Errorf("published again: %v", jt.Tree(t, dir))
	}
}

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		attrs map[string]cty.Value
		want  string
	}{
		"list of extras": {map[string]cty.Value{"extra": cty.TupleVal([]cty.Value{jt.Ref()})}, "extra must be a map"},
		"bad version":    {map[string]cty.Value{"version": cty.StringVal("../x")}, "can't be a version"},
		"no root":        {map[string]cty.Value{"root": cty.StringVal("")}, "root is empty"},
	} {
		attrs := map[string]cty.Value{"model": jt.Ref(), "root": cty.StringVal("m")}
		for k, v := range c.attrs {
			attrs[k] = v
		}
		_, err := jt.TryDecode(files.Type(), attrs)
		var attr *stage.AttrError
		if !errors.As(err, &attr) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := jt.NewWorld(t)
	for want, in := range map[string]stage.Input{
		`has no fact "model_version"`:   jt.Input(t, "model", map[string]string{"a": "1"}, artifact.Info{}),
		"a file checksums.json":         jt.Input(t, "model", map[string]string{"checksums.json": "1"}, artifact.Info{Facts: map[string]string{"model_version": "v"}}),
		"which can't be a version":      jt.Input(t, "model", map[string]string{"a": "1"}, artifact.Info{Facts: map[string]string{"model_version": "a/b"}}),
		"leads out of the working dire": jt.Model(t, "v"),
	} {
		r := configured(t, nil)
		if strings.HasPrefix(want, "leads") {
			r = configured(t, map[string]cty.Value{"root": cty.StringVal("../elsewhere")})
		}
		if _, err := w.RunNode(r, "files", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if d := cmp.Diff([]string{}, jt.Tree(t, w.Dir)); d != "" {
		t.Error(d)
	}
}

func names(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
