package features_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/stage/stagetest"
	"pipe/stages/features"
	"pipe/stages/features/oracletest"
	"pipe/stages/internal/duck"
)

const windows = `
windows {
  beta_window      = 40
  z_window         = 30
  z_ema_span       = 6
  stability_window = 20
  half_life_window = 30
  drawdown_window  = 24
  rho_window       = 25
}
`

func bars(symbol, quarantine, csv string) stagetest.Upstream {
	u := stagetest.Table("canonical.csv", csv, 0)
	u.Info = artifact.Info{Main: "canonical.csv", Facts: map[string]string{"symbol": symbol, "quarantine": quarantine}}
	return u
}

func pairOf(n int) map[string]stagetest.Upstream {
	a, b := oracletest.MadeCSV(1, n)
	return map[string]stagetest.Upstream{"stage.a": bars("EURUSD", "false", a), "stage.b": bars("USDJPY", "false", b)}
}

// column reads a column of a table file; missing values are NaN.
func column(t *testing.T, path, name string) []float64 {
	t.Helper()
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out []float64
	if err := db.Fetch(t.Context(), []any{&out}, "SELECT "+duck.Ident(name)+" FROM "+duck.Scan(path)+" ORDER BY timestamp"); err != nil {
		t.Fatal(err)
	}
	return out
}

func checkPair(t *testing.T, r stagetest.Result) {
	t.Helper()
	var schema features.Schema
	if err := json.Unmarshal([]byte(r.File(t, features.SchemaFile)), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Mode != "pair" || strings.Join(schema.Symbols, " ") != "EURUSD USDJPY" || len(schema.Columns) != 21 || len(schema.Scalers) != 0 || schema.Windows.BetaWindow != 40 {
		t.Errorf("schema: %+v", schema)
	}
	var report features.Report
	if err := json.Unmarshal([]byte(r.File(t, features.ReportFile)), &report); err != nil {
		t.Fatal(err)
	}
	if r.Rows != 500 || report.Rows != 500 || report.Complete != int(r.Metrics["complete_rows"]) || report.Complete < 400 || r.Metrics["ai1_samples"] == 0 {
		t.Errorf("%d rows, report %+v, metrics %v", r.Rows, report, r.Metrics)
	}
	if r.Facts["feature_hash"] == "" {
		t.Error("there is no fact feature_hash")
	}
	table := filepath.Join(r.Dir, features.TableFile)
	present := 0
	for _, name := range schema.Columns {
		for i, v := range column(t, table, name) {
			if math.IsInf(v, 0) {
				t.Fatalf("%s[%d] is %v", name, i, v)
			}
			if !math.IsNaN(v) {
				present++
			}
		}
	}
	if present < 400*len(schema.Columns) {
		t.Errorf("only %d values are present", present)
	}
}

// csvWith adds columns of constants to bars.
func csvWith(csv, header, values string) string {
	lines := strings.Split(strings.TrimSpace(csv), "\n")
	for i := range lines {
		if i == 0 {
			lines[i] += header
		} else {
			lines[i] += values
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestType(t *testing.T) {
	a, b := oracletest.MadeCSV(1, 300)
	carried := csvWith(a, ",z,rho_var_25,atr_ratio", ",2.5,0.01,1.2")
	one := func(csv, quarantine string) map[string]stagetest.Upstream {
		return map[string]stagetest.Upstream{"stage.a": bars("EURUSD", quarantine, csv), "stage.b": bars("USDJPY", "false", b)}
	}
	const legs = "legs = { a = stage.a, b = stage.b }\n"
	fails := func(name, config, attr, want string, up map[string]stagetest.Upstream) stagetest.Case {
		return stagetest.Case{Name: name, Config: config, WantAttr: attr, WantErr: want, Upstreams: up}
	}
	stagetest.Run(t, features.Type(),
		stagetest.Case{Name: "pair", Config: legs + windows, Upstreams: pairOf(500), Check: checkPair},
		stagetest.Case{Name: "single", Config: "source = stage.a\n" + windows, Upstreams: one(carried, "false"), Check: func(t *testing.T, r stagetest.Result) {
			if s := r.File(t, features.SchemaFile); !strings.Contains(s, `"mode": "single"`) || strings.Contains(s, "atr_b") {
				t.Errorf("schema: %s", s)
			}
			z := column(t, filepath.Join(r.Dir, features.TableFile), "z")
			if len(z) != 300 || z[0] != 2.5 {
				t.Errorf("the carried z is not used: %v …", z[:3])
			}
		}},
		fails("neither", windows, "legs", "either legs", nil),
		fails("both", legs+"source = stage.a\n", "source", "exclude each other", one(a, "false")),
		fails("window too short", legs+"windows { z_window = 1 }\n", "windows.z_window", "too short", one(a, "false")),
		fails("thresholds that cross", legs+"labels { z_exit = 3 }\n", "labels.z_entry", "above z_exit", one(a, "false")),
		fails("quarantined", legs+windows, "", "quarantined", one(a, "true")),
		fails("single without z", "source = stage.a\n"+windows, "", `no column "z"`, one(a, "false")),
		fails("no close", legs+windows, "", "close", one(strings.Replace(a, "close", "shut", 1), "false")),
		fails("twice the same time", legs+windows, "", "duplicates", one(a+lastLine(a), "false")),
	)
}

func lastLine(csv string) string {
	lines := strings.Split(strings.TrimSpace(csv), "\n")
	return lines[len(lines)-1] + "\n"
}
