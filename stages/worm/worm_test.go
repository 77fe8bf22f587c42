package worm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/worm"
)

func configured(t *testing.T, more map[string]cty.Value) stage.Runner {
	attrs := map[string]cty.Value{"model": jt.Ref(), "root": cty.StringVal("worm")}
	for k, v := range more {
		attrs[k] = v
	}
	return jt.Decode(t, worm.Type(), attrs)
}

func records(t *testing.T, w *jt.World) []string {
	t.Helper()
	return jt.Tree(t, filepath.Join(w.Dir, "worm"))
}

func readRecord(t *testing.T, w *jt.World, name string) (worm.Record, digest.Digest) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.Dir, "worm", name))
	if err != nil {
		t.Fatal(err)
	}
	var r worm.Record
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r, digest.Bytes(b)
}

// three publishes, a month and a year between them.
func three(t *testing.T) (*jt.World, stage.Runner, []string) {
	w, r := jt.NewWorld(t), configured(t, nil)
	for i := range 3 {
		w.Time = time.Date(2025, time.Month(11+i), 3, 4, 5, 6, 789, time.UTC)
		w.Run.ID = fmt.Sprint("run-", i)
		w.MustRun(r, "worm", jt.Model(t, fmt.Sprint("v", i)))
	}
	return w, r, records(t, w)
}

func TestRecordsAreChained(t *testing.T) {
	w, _, files := three(t)
	for i, prefix := range []string{"model_publish/2025/202511/model_publish_20251103T040506Z_",
		"model_publish/2025/202512/model_publish_20251203T040506Z_", "model_publish/2026/202601/model_publish_20260103T040506Z_"} {
		if len(files) != 3 || !strings.HasPrefix(files[i], prefix) {
			t.Fatalf("the records are %v", files)
		}
	}
	var prev digest.Digest
	for i, f := range files {
		rec, sum := readRecord(t, w, f)
		if rec.Seq != int64(i+1) || rec.Prev != prev || rec.ModelVersion != fmt.Sprint("v", i) || !strings.Contains(f, "_"+rec.Key[:8]+".json") {
			t.Errorf("record %d is %+v", i, rec)
		}
		info, _ := os.Stat(filepath.Join(w.Dir, "worm", f))
		if info.Mode().Perm() != 0o444 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
		prev = sum
	}
	rep, err := worm.Verify(filepath.Join(w.Dir, "worm"))
	if err != nil || rep.Records != 3 || rep.Head != prev {
		t.Errorf("verify says %+v, %v", rep, err)
	}
}

func TestRecordHoldsWhatWasPublished(t *testing.T) {
	w := jt.NewWorld(t)
	r := configured(t, map[string]cty.Value{"files": jt.Ref(), "registry": jt.Ref(), "evidence": cty.TupleVal([]cty.Value{jt.Ref()}),
		"fields": cty.MapVal(map[string]cty.Value{"ticket": cty.StringVal("ML-17")})})
	model := jt.Model(t, "v1")
	bt := jt.Input(t, "evidence[0]", map[string]string{"bt_summary.json": "{}"}, artifact.Info{Metrics: map[string]float64{"sharpe": 1.5}})
	files := jt.Input(t, "files", map[string]string{"receipt.json": "{}"}, artifact.Info{Facts: map[string]string{
		"model_version": "v1", "status": "published", "artifact_path": "storage/models/v1"}})
	registry := jt.Input(t, "registry", map[string]string{"receipt.json": "{}"}, artifact.Info{Facts: map[string]string{
		"model_version": "v1", "status": "rejected", "registry_event": "e1"}})
	w.MustRun(r, "worm", bt, files, model, registry)
	got, _ := readRecord(t, w, records(t, w)[0])
	want := worm.Record{FormatVersion: 1, Kind: "model_publish", Seq: 1, Key: got.Key, At: w.Time, ModelVersion: "v1", Status: "rejected",
		ArtifactPath: "storage/models/v1", RegistryEvent: "e1", Model: worm.Part{Digest: model.Artifact.Digest(), Files: model.Artifact.Files, Metrics: model.Artifact.Metrics},
		Evidence:   []worm.Part{{Label: "evidence[0]", Digest: bt.Artifact.Digest(), Files: bt.Artifact.Files, Metrics: bt.Artifact.Metrics}},
		PlanDigest: w.Run.PlanDigest, Run: "run-1", Pipeline: "sample", Environment: "dev", Node: "publish.it", Actor: "ana@desk",
		SourceRevision: "abc123", Fields: map[string]string{"ticket": "ML-17"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	registry.Artifact.Facts["model_version"] = "v2"
	if _, err := w.RunNode(r, "", bt, files, model, registry); err == nil || !strings.Contains(err.Error(), `"registry" was published as version "v2"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestCrashAnywhereRecordsOnce(t *testing.T) {
	for _, p := range []jt.Point{jt.BeforeIntent, jt.BeforeEffect, jt.BeforeDone, jt.AfterDone} {
		w, r := jt.NewWorld(t), configured(t, nil)
		first := w.Time
		w.Crashes(p, r, jt.Model(t, "v1"))
		w.Time, w.Run.ID = w.Time.AddDate(0, 1, 0), "run-after"
		for range 2 {
			w.MustRun(r, "", jt.Model(t, "v1"))
		}
		files := records(t, w)
		if len(files) != 1 {
			t.Fatalf("crash at %d: the records are %v", p, files)
		}
		rec, _ := readRecord(t, w, files[0])
		if p != jt.BeforeIntent && !rec.At.Equal(first) {
			t.Errorf("crash at %d: the record has the time %v of a repeated attempt", p, rec.At)
		}
		if _, err := worm.Verify(filepath.Join(w.Dir, "worm")); err != nil {
			t.Error(err)
		}
	}
}

func TestVersionThatComesBackIsRecordedAgain(t *testing.T) {
	w, r, _ := three(t)
	w.Time, w.Run.ID = w.Time.AddDate(0, 1, 0), "run-back"
	w.MustRun(r, "", jt.Model(t, "v0"))
	if got := len(records(t, w)); got != 4 {
		t.Errorf("%d records", got)
	}
}

func TestDestroyLeavesRecords(t *testing.T) {
	w, r, files := three(t)
	for range 2 {
		if err := w.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(files, records(t, w)); d != "" {
		t.Error(d)
	}
	w.Time, w.Run.ID = w.Time.AddDate(0, 1, 0), "run-anew"
	w.MustRun(r, "", jt.Model(t, "v2"))
	if got := len(records(t, w)); got != 4 {
		t.Errorf("%d records after the pipeline came back", got)
	}
}

func TestTamperingIsFound(t *testing.T) {
	rewrite := func(t *testing.T, file string, change func(string) string) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(change(string(b))), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		tamper func(t *testing.T, files []string)
		verify string // what Verify says
		next   string // what the next publish of a node that wrote none of the records says
	}{
		"changed": {func(t *testing.T, f []string) {
			rewrite(t, f[1], func(s string) string { return strings.Replace(s, `"actor":"ana@desk"`, `"actor":"eve@desk"`, 1) })
		}, "model_publish_20260103T040506Z", "are damaged"},
		"removed": {func(t *testing.T, f []string) {
			if err := os.Remove(f[1]); err != nil {
				t.Fatal(err)
			}
		}, "records are missing before model_publish/2026/202601", "are damaged"},
		"first removed": {func(t *testing.T, f []string) {
			if err := os.Remove(f[0]); err != nil {
				t.Fatal(err)
			}
		}, "records are missing before model_publish/2025/202512", "are damaged"},
		"renamed": {func(t *testing.T, f []string) {
			if err := os.Rename(f[2], strings.Replace(f[2], "20260103T", "20260104T", 1)); err != nil {
				t.Fatal(err)
			}
		}, "it was changed or moved", "are damaged"},
		"copied": {func(t *testing.T, f []string) {
			b, _ := os.ReadFile(f[2])
			other := strings.Replace(f[2], "20260103T", "20260104T", 1)
			if err := os.WriteFile(other, []byte(strings.Replace(string(b), "2026-01-03T", "2026-01-04T", 1)), 0o444); err != nil {
				t.Fatal(err)
			}
		}, "both have the number 3", "are damaged"},
		"garbage": {func(t *testing.T, f []string) {
			rewrite(t, f[1], func(string) string { return "{" })
		}, "is no record", "are damaged"},
		"writable": {func(t *testing.T, f []string) {
			if err := os.Chmod(f[0], 0o644); err != nil {
				t.Fatal(err)
			}
		}, "can be written to (mode 0644)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, files := three(t)
			for i := range files {
				files[i] = filepath.Join(w.Dir, "worm", files[i])
			}
			c.tamper(t, files)
			if _, err := worm.Verify(filepath.Join(w.Dir, "worm")); err == nil || !strings.Contains(err.Error(), c.verify) {
				t.Errorf("verify says %v", err)
			}
			other := jt.NewWorld(t)
			other.Dir, other.Time = w.Dir, w.Time.AddDate(1, 0, 0)
			_, err := other.RunNode(r, "", jt.Model(t, "v9"))
			if c.next == "" && err != nil || c.next != "" && (err == nil || !strings.Contains(err.Error(), c.next)) {
				t.Errorf("the next publish says %v", err)
			}
		})
	}
}

// The end of the chain can be cut off without a trace in the chain, but not without the node that wrote it knowing.
func TestNodeKnowsItsOwnRecords(t *testing.T) {
	w, r, files := three(t)
	if err := os.Remove(filepath.Join(w.Dir, "worm", files[2])); err != nil {
		t.Fatal(err)
	}
	if _, err := worm.Verify(filepath.Join(w.Dir, "worm")); err != nil {
		t.Fatalf("the rest of the chain is whole, but verify says %v", err)
	}
	if _, err := w.RunNode(r, "", jt.Model(t, "v3")); err == nil || !strings.Contains(err.Error(), "record 3, which this node wrote, is gone (worm/"+files[2]+")") {
		t.Errorf("the error is %v", err)
	}
	w.MustRun(configured(t, map[string]cty.Value{"root": cty.StringVal("worm2")}), "", jt.Model(t, "v3"))
}

func TestPipelinesShareOneChain(t *testing.T) {
	const n = 8
	dir := t.TempDir()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		w, r, model := jt.NewWorld(t), configured(t, nil), jt.Model(t, fmt.Sprint("v", i))
		w.Dir, w.Run.Pipeline = dir, fmt.Sprint("p", i)
		wg.Go(func() { _, errs[i] = w.RunNode(r, "", model) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if rep, err := worm.Verify(filepath.Join(dir, "worm")); err != nil || rep.Records != n {
		t.Errorf("verify says %+v, %v", rep, err)
	}
}

func TestReceiptIsDeterministic(t *testing.T) {
	a, b := jt.NewWorld(t), jt.NewWorld(t)
	b.Time, b.Run.ID, b.Run.PlanDigest = b.Time.AddDate(1, 0, 0), "run-2", "sha256:other"
	x, y := a.MustRun(configured(t, nil), "", jt.Model(t, "v1")), b.MustRun(configured(t, nil), "", jt.Model(t, "v1"))
	if x.Artifact.Digest() != y.Artifact.Digest() {
		t.Error("the receipts differ")
	}
}
