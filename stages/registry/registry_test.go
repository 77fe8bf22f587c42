package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/registry"
)

func TestColumnsAreFilled(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w := b.world("core")
		r := b.runner(map[string]cty.Value{"evidence": cty.TupleVal([]cty.Value{jt.Ref()}), "files": jt.Ref(),
			"dataset_index_path": cty.StringVal("storage/index.parquet"), "notes": cty.StringVal("monthly"), "theta2": cty.NumberFloatVal(0.25)})
		model := jt.Model(t, "v1")
		model.Artifact.Facts["code_hash"], model.Artifact.Facts["data_hash"] = "c0de", "da7a"
		files := jt.Input(t, "files", map[string]string{"receipt.json": "{}"}, artifact.Info{Facts: map[string]string{"artifact_path": "storage/models/v1"}})
		got := publish(w, r, evidence(t, 1.5, 0.1), files, model)

		same(t, "row", b.query(`select model_version, model_name, status, created_by, artifact_path, dataset_index_path, feature_schema_path,
			model_ai1_path, model_ai2_path, params_path, theta1, theta2, code_hash, data_hash, seed, plan_digest, notes, artifact_digest
			from core.model_registry`),
			[]string{"v1 default deployed ana@desk storage/models/v1 storage/index.parquet storage/models/v1/feature_schema.json " +
				"storage/models/v1/model_ai1.json storage/models/v1/model_ai2.json storage/models/v1/params.yaml 0.7 0.25 c0de da7a 7 " +
				string(w.Run.PlanDigest) + " monthly " + string(model.Artifact.Digest())})
		same(t, "metrics", b.query(metricsQuery(b)), []string{"1.5 0.6"})
		same(t, "events", b.events(), []string{"v1 - candidate", "v1 candidate deployed"})
		same(t, "runs", b.query("select run_id, model_version, outcome from audit.retrain_runs"), []string{"run-of-core v1 deployed"})
		if got.Artifact.Metrics["sharpe"] != 1.5 || got.Artifact.Facts["status"] != "deployed" || got.Artifact.Facts["artifact_path"] != "storage/models/v1" {
			t.Errorf("the receipt says %+v", got.Artifact.Info)
		}
	})
}

func metricsQuery(b *backend) string {
	if b.vars != nil {
		return "select metrics_json->>'sharpe', metrics_json->>'auc' from core.model_registry"
	}
	return "select json_extract(metrics_json, '$.sharpe'), json_extract(metrics_json, '$.auc') from core.model_registry"
}

func TestOneVersionIsDeployedAndVersionsComeBack(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, r := b.world("core"), b.runner(nil)
		first := publish(w, r, jt.Model(t, "v1"))
		publish(w, r, jt.Model(t, "v1")) // again: nothing new
		publish(w, r, jt.Model(t, "v2"))
		again := publish(w, r, jt.Model(t, "v1")) // the configuration went back
		same(t, "versions", b.versions(), []string{"v1 deployed", "v2 approved"})
		same(t, "events", b.events(), []string{"v1 - candidate", "v1 candidate deployed", "v2 - candidate", "v1 deployed approved",
			"v2 candidate deployed", "v2 deployed approved", "v1 approved deployed"})
		if first.Artifact.Digest() != again.Artifact.Digest() {
			t.Error("equal versions gave other receipts")
		}
		back := b.runner(map[string]cty.Value{"rollback_reason": cty.StringVal("v1 drifts")})
		publish(w, back, jt.Model(t, "v2"))
		same(t, "versions after the rollback", b.versions(), []string{"v1 rolled_back", "v2 deployed"})
		same(t, "reason", b.query("select notes from core.model_registry where model_version = 'v1'"), []string{"rolled back to v2: v1 drifts"})
		planned(w, back)
		if _, err := w.RunNode(back, "", jt.Model(t, "v9")); err == nil || !strings.Contains(err.Error(), "v9 is not registered, so nothing can be rolled back") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestAdoption(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, r := b.world("core"), adopting(b)
		publish(w, r, evidence(t, 2.0, 0.05), jt.Model(t, "v1"))
		weak := publish(w, r, evidence(t, 1.1, 0.2), jt.Model(t, "v2"))
		want := "sharpe is 1.1, it must be above 1.2; max_drawdown is 0.2, it must be below 0.12; " +
			"sharpe is 1.1, it must be at least 0.95 of the deployed version's, that is 1.9; " +
			"max_drawdown is 0.2, it must be at most 0.03 more than the deployed version's, that is 0.08"
		if got := weak.Artifact.Facts["reasons"]; got != want || weak.Artifact.Facts["status"] != "rejected" {
			t.Errorf("rejected because %s", got)
		}
		same(t, "notes", b.query("select notes from core.model_registry where model_version = 'v2'"), []string{"rejected: " + want})
		publish(w, r, evidence(t, 1.9, 0.08), jt.Model(t, "v3")) // exactly at the limits of the comparison
		missing := jt.Input(t, "evidence[0]", map[string]string{"a": "1"}, artifact.Info{Metrics: map[string]float64{"sharpe": 3, "halt_rate": 0.1, "trades_per_year": 200}})
		none := publish(w, r, missing, jt.Model(t, "v4"))
		if got := none.Artifact.Facts["reasons"]; got != "the metric max_drawdown is missing" {
			t.Errorf("rejected because %s", got)
		}
		same(t, "versions", b.versions(), []string{"v1 approved", "v2 rejected", "v3 deployed", "v4 rejected"})
		publish(w, adopting(b), evidence(t, 2.5, 0.05), jt.Model(t, "v2")) // new evidence for the same model
		same(t, "versions", b.versions(), []string{"v1 approved", "v2 deployed", "v3 approved", "v4 rejected"})
		same(t, "notes", b.query("select count(*) from core.model_registry where model_version = 'v2' and notes = ''"), []string{"1"})
	})
}

func TestOtherContentIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, r := b.world("core"), b.runner(nil)
		publish(w, r, jt.Model(t, "v1"))
		other := jt.Input(t, "model", map[string]string{"model_ai1.json": "{}"}, artifact.Info{Facts: map[string]string{"model_version": "v1"}})
		planned(w, r)
		if _, err := w.RunNode(r, "", other); err == nil || !strings.Contains(err.Error(), "version v1 is registered with other content") {
			t.Errorf("the error is %v", err)
		}
		named := b.runner(map[string]cty.Value{"model_name": cty.StringVal("gold")})
		planned(w, named)
		if _, err := w.RunNode(named, "", jt.Model(t, "v1")); err == nil || !strings.Contains(err.Error(), `registered for the model "default" and not "gold"`) {
			t.Errorf("the error is %v", err)
		}
		publish(b.world("gold"), named, jt.Model(t, "g1"))
		same(t, "versions", b.versions(), []string{"g1 deployed", "v1 deployed"})
	})
}

// What was deployed when the plan was made must still be deployed.
func TestCompareAndSet(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		mine, theirs, r := b.world("mine"), b.world("theirs"), b.runner(nil)
		planned(mine, r)
		publish(theirs, r, jt.Model(t, "v1"))
		_, err := mine.RunNode(r, "", jt.Model(t, "v2"))
		if !errors.Is(err, stage.ErrStale) || !strings.Contains(err.Error(), `the deployed version of "default" changed since the plan was made: it was none and is v1; plan again`) {
			t.Errorf("the error is %v", err)
		}
		same(t, "versions", b.versions(), []string{"v1 deployed"})
		publish(mine, r, jt.Model(t, "v2")) // planned again
		same(t, "versions", b.versions(), []string{"v1 approved", "v2 deployed"})
		publish(theirs, r, jt.Model(t, "v1")) // their last effect is no longer in force: it is done again, on a plan that saw v2
		same(t, "versions", b.versions(), []string{"v1 deployed", "v2 approved"})
	})
}

func TestRacingPublishers(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		const n = 4
		var wg sync.WaitGroup
		errs := make([]error, n)
		worlds, r := make([]*jt.World, n), b.runner(nil)
		for i := range n { // all plans saw an empty registry, without tables
			worlds[i] = b.world(fmt.Sprintf("node%d", i))
			planned(worlds[i], r)
		}
		for i, w := range worlds {
			model := jt.Model(t, fmt.Sprintf("v%d", i))
			wg.Go(func() { _, errs[i] = w.RunNode(r, "", model) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, stage.ErrStale) {
				t.Errorf("a loser failed with %v", err)
			}
		}
		if got := b.versions(); won != 1 || len(got) != 1 || !strings.HasSuffix(got[0], " deployed") {
			t.Errorf("%d publishers won, the registry has %v", won, got)
		}
	})
}

func TestCrashAnywhereActsOnce(t *testing.T) {
	for _, p := range []jt.Point{jt.BeforeIntent, jt.BeforeEffect, jt.BeforeDone, jt.AfterDone} {
		each(t, func(t *testing.T, b *backend) {
			w, r := b.world("core"), b.runner(nil)
			publish(w, r, jt.Model(t, "v1"))
			planned(w, r)
			w.Crashes(p, r, jt.Model(t, "v2"))
			w.Time, w.Run.ID = w.Time.AddDate(0, 0, 1), "run-after"
			w.MustRun(r, "", jt.Model(t, "v2"))
			same(t, "versions", b.versions(), []string{"v1 approved", "v2 deployed"})
			same(t, "events", b.events(), []string{"v1 - candidate", "v1 candidate deployed", "v2 - candidate", "v1 deployed approved", "v2 candidate deployed"})
			same(t, "runs", b.query("select count(*) from audit.retrain_runs"), []string{"2"})
			if err := w.Remove(r, stage.Input{}); err != nil { // it knows its rows, also those of the process that died
				t.Fatal(err)
			}
			if b.vars == nil {
				same(t, "files", jt.Tree(t, b.dir), []string{})
			} else {
				same(t, "versions", b.versions(), []string{})
			}
		})
	}
}

// A crash after the commit, and somebody else's deployment before the next attempt: the effect happened and is not repeated.
func TestEffectThatHappenedIsNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, other, r := b.world("core"), b.world("other"), adopting(b)
		planned(w, r)
		w.Crashes(jt.BeforeDone, r, evidence(t, 0.1, 0.5), jt.Model(t, "v1")) // rejected, for two reasons
		publish(other, b.runner(nil), jt.Model(t, "v2"))
		got := w.MustRun(r, "", evidence(t, 0.1, 0.5), jt.Model(t, "v1"))
		if got.Artifact.Facts["reasons"] != "sharpe is 0.1, it must be above 1.2; max_drawdown is 0.5, it must be below 0.12" {
			t.Errorf("the receipt says %v", got.Artifact.Facts)
		}
		same(t, "versions", b.versions(), []string{"v1 rejected", "v2 deployed"})
		same(t, "runs", b.query("select count(*) from audit.retrain_runs where model_version = 'v1'"), []string{"1"})
	})
}

// The database may outlive the journal.
func TestLostJournal(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, r := b.world("core"), b.runner(nil)
		publish(w, r, jt.Model(t, "v1"))
		publish(w, r, jt.Model(t, "v2"))
		fresh := b.world("core")
		fresh.Run.ID = "another-run"
		publish(fresh, r, jt.Model(t, "v1"))
		same(t, "versions", b.versions(), []string{"v1 deployed", "v2 approved"})
		if err := fresh.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
		same(t, "rows of the other journal stay", b.versions(), []string{"v1 deployed", "v2 approved"})
	})
}

func TestRemove(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, other, r := b.world("core"), b.world("other"), b.runner(nil)
		publish(w, r, jt.Model(t, "v1"))
		publish(w, r, jt.Model(t, "v2"))
		publish(other, b.runner(map[string]cty.Value{"model_name": cty.StringVal("gold")}), jt.Model(t, "g1"))
		for range 2 {
			if err := w.Remove(r, stage.Input{}); err != nil {
				t.Fatal(err)
			}
		}
		same(t, "versions", b.versions(), []string{"g1 deployed"})
		same(t, "events", b.events()[7:], []string{"v2 deployed removed", "v1 approved removed"})
		if err := other.Remove(r, stage.Input{}); err != nil {
			t.Fatal(err)
		}
		if b.vars != nil {
			same(t, "versions", b.versions(), []string{})
			same(t, "last event", b.events()[9:], []string{"g1 deployed removed"})
		} else {
			same(t, "files", jt.Tree(t, b.dir), []string{})
		}
	})
}

func TestDeployedVersionIsDescribedAnew(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w, r := b.world("core"), adopting(b)
		publish(w, r, evidence(t, 2.0, 0.05), jt.Model(t, "v1"))
		publish(w, r, evidence(t, 1.0, 0.05), jt.Model(t, "v1"))
		same(t, "versions", b.versions(), []string{"v1 deployed"})
		same(t, "metrics", b.query(metricsQuery(b)), []string{"1 0.6"})
		same(t, "event", b.query("select from_status, to_status, reason from audit.model_registry_events order by event_id")[2:],
			[]string{"deployed deployed described anew: metrics_json"})
	})
}

func TestPlanningMakesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *backend) {
		w := b.world("core")
		planned(w, b.runner(nil))
		if w.Pinned != "" {
			t.Errorf("pinned %q", w.Pinned)
		}
		same(t, "files", jt.Tree(t, b.dir), []string{})
		if b.vars != nil {
			same(t, "schemas", b.query("select nspname from pg_namespace where nspname in ('core', 'audit')"), []string{})
		}
	})
}

func TestErrorsShowNoPassword(t *testing.T) {
	const password = "hunter2/very$ecret"
	for url, want := range map[string]string{
		"postgres://ana:hunter2%2Fvery$ecret@127.0.0.1:1/models": "connect to PostgreSQL at 127.0.0.1:1/models",
		"postgres://ana:hunter2/very$ecret@host/models":          "the value is no PostgreSQL URL",
		"hunter2/very$ecret": "the value is no PostgreSQL URL",
	} {
		b := &backend{t: t, dir: t.TempDir(), attrs: map[string]cty.Value{"database": jt.Secret("POSTGRES_URL")}, vars: map[string]string{"POSTGRES_URL": url}}
		w, r := b.world("core"), b.runner(nil)
		_, pinErr := r.(stage.Pinner).Pin(context.Background(), w.Env())
		_, runErr := w.RunNode(r, "", jt.Model(t, "v1"))
		for _, err := range []error{pinErr, runErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v", err)
				continue
			}
			jt.NoSecret(t, err.Error(), password)
			jt.NoSecret(t, err.Error(), "hunter2")
		}
		journal, _ := os.ReadFile(w.JournalPath())
		jt.NoSecret(t, string(journal), "hunter2")
	}
}

func TestMistakes(t *testing.T) {
	adoption := func(name string, v float64) map[string]cty.Value {
		return map[string]cty.Value{"adoption": cty.ObjectVal(map[string]cty.Value{name: cty.NumberFloatVal(v)})}
	}
	for want, attrs := range map[string]map[string]cty.Value{
		"model_name is empty":      {"model_name": cty.StringVal("")},
		"rollback_reason is empty": {"rollback_reason": cty.StringVal("")},
		"max_drawdown is 12":       adoption("max_drawdown", 12),
		"max_halt_rate is -1":      adoption("max_halt_rate", -1),
		"whole number":             {"seed": cty.NumberFloatVal(1.5)},
	} {
		attrs["model"] = jt.Ref()
		_, err := jt.TryDecode(registry.Type(), attrs)
		var attr *stage.AttrError
		if !errors.As(err, &attr) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
