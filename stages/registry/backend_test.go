package registry_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/artifact"
	"pipe/engine/stage"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/internal/pg"
	"pipe/stages/internal/sqlite"
	"pipe/stages/internal/testservices"
	"pipe/stages/registry"
)

// backend is one of the databases that the registry may lie in, with the same tests for each.
type backend struct {
	t     *testing.T
	attrs map[string]cty.Value
	vars  map[string]string
	dir   string // working directory of all worlds
}

func each(t *testing.T, test func(*testing.T, *backend)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, &backend{t: t, dir: t.TempDir()})
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, &backend{t: t, dir: t.TempDir(), attrs: map[string]cty.Value{"database": jt.Secret("POSTGRES_URL")},
			vars: map[string]string{"POSTGRES_URL": testservices.Postgres(t)}})
	})
}

// world is a node of its own on the backend: another name, another journal.
func (b *backend) world(name string) *jt.World {
	w := jt.NewWorld(b.t)
	w.Dir, w.Vars, w.Run.Node.Name, w.Run.ID = b.dir, b.vars, name, "run-of-"+name
	return w
}

func (b *backend) runner(more map[string]cty.Value) stage.Runner {
	attrs := map[string]cty.Value{"model": jt.Ref()}
	for _, m := range []map[string]cty.Value{b.attrs, more} {
		for k, v := range m {
			attrs[k] = v
		}
	}
	return jt.Decode(b.t, registry.Type(), attrs)
}

// planned pins as a plan does.
func planned(w *jt.World, r stage.Runner) {
	w.T.Helper()
	pin, err := r.(stage.Pinner).Pin(context.Background(), w.Env())
	if err != nil {
		w.T.Fatal(err)
	}
	w.Pinned = pin
}

func publish(w *jt.World, r stage.Runner, in ...stage.Input) stage.Input {
	w.T.Helper()
	planned(w, r)
	return w.MustRun(r, "registry", in...)
}

func (b *backend) db() *sql.DB {
	b.t.Helper()
	var db *sql.DB
	if url := b.vars["POSTGRES_URL"]; url != "" {
		s, err := pg.Open(context.Background(), url, pg.Options{})
		if err != nil {
			b.t.Fatal(err)
		}
		db = s.DB
	} else {
		s, err := sqlite.Open(context.Background(), filepath.Join(b.dir, "storage/registry"))
		if err != nil {
			b.t.Fatal(err)
		}
		db = s.DB
	}
	return db
}

// query returns the rows as lines of fields with spaces between.
func (b *backend) query(q string) []string {
	b.t.Helper()
	db := b.db()
	defer db.Close()
	rows, err := db.Query(q)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	lines := []string{}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			b.t.Fatal(err)
		}
		fields := make([]string, len(values))
		for i, v := range values {
			if fields[i] = fmt.Sprint(*v.(*any)); *v.(*any) == nil {
				fields[i] = "-"
			}
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return lines
}

func (b *backend) versions() []string {
	b.t.Helper()
	return b.query("select model_version, status from core.model_registry order by model_version")
}

func (b *backend) events() []string {
	b.t.Helper()
	return b.query("select model_version, from_status, to_status from audit.model_registry_events order by event_id")
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func evidence(t *testing.T, sharpe, drawdown float64) stage.Input {
	return jt.Input(t, "evidence[0]", map[string]string{"bt_summary.json": fmt.Sprintf(`{"sharpe":%v,"dd":%v}`, sharpe, drawdown)},
		artifact.Info{Metrics: map[string]float64{"sharpe": sharpe, "max_drawdown": drawdown, "trades_per_year": 200, "halt_rate": 0.1}})
}

func adopting(b *backend) stage.Runner {
	return b.runner(map[string]cty.Value{"evidence": cty.TupleVal([]cty.Value{jt.Ref()}),
		"adoption": cty.ObjectVal(map[string]cty.Value{"min_sharpe": cty.NumberFloatVal(1.2), "max_drawdown": cty.NumberFloatVal(0.12),
			"min_trades": cty.NumberIntVal(150), "max_halt_rate": cty.NumberFloatVal(0.4)})})
}
