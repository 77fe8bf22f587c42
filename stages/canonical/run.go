package canonical

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	source, err := in.Get("source")
	if err != nil {
		return err
	}
	if source.Table() == "" {
		return fmt.Errorf("the source has no table: it is an artifact of files alone")
	}
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	j := &job{runner: r}
	if err := j.read(ctx, db, source.Table()); err != nil {
		return err
	}
	if err := j.clean(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := j.table(ctx, db, out)
	if err != nil {
		return err
	}
	return j.report(out, name)
}

// clean makes canonical rows of those that were read.
func (j *job) clean() error {
	var err error
	j.normal(j.rows)
	slices.SortFunc(j.rows, byStamp)
	if j.Dedup == "exact" {
		j.rows = distinct(j.rows)
	}
	if !j.utc {
		if err := j.resolve(j.rows); err != nil {
			return err
		}
		slices.SortFunc(j.rows, byStamp)
	}
	if j.rows, j.known.conflicts, err = j.withoutConflicts(j.rows); err != nil {
		return err
	}
	j.rows, j.known.invalid = j.withoutInvalid(j.rows)
	if len(j.rows) == 0 {
		return fmt.Errorf("no row is a valid bar: look at columns and scale")
	}
	if err := j.onGrid(j.rows); err != nil {
		return err
	}
	j.rows, j.known.outliers = j.withoutOutliers(j.rows)
	j.rows, j.known.gaps = j.fill(j.rows, j.known.outliers)
	return j.within()
}

// report writes what was done beside the table.
func (j *job) report(out *stage.Output, name string) error {
	m := j.summary()
	hash, _, err := digest.File(out.Path(name))
	if err != nil {
		return err
	}
	m.DataHash = string(hash)
	q := j.judge(m)
	m.Quarantine = q != nil
	if err := document(out.Path("__meta.json"), m); err != nil {
		return err
	}
	if q != nil {
		if err := document(out.Path("__quarantine.json"), q); err != nil {
			return err
		}
	}
	out.Table(name, int64(m.BarsWritten))
	for _, f := range []struct{ name, value string }{
		{"timeframe", m.Timeframe}, {"first_ts", m.FirstTS}, {"last_ts", m.LastTS}, {"data_hash", m.DataHash},
		{"quarantine", strconv.FormatBool(m.Quarantine)},
	} {
		out.Fact(f.name, f.value)
	}
	if m.Symbol != "" {
		out.Fact("symbol", m.Symbol)
	}
	for _, x := range []struct {
		name  string
		value int
	}{
		{"bars_written", m.BarsWritten}, {"filled_bars", m.FilledBars}, {"outlier_bars", m.OutlierBars},
		{"spike_flags", m.SpikeFlags}, {"invalid_bars", m.InvalidBars}, {"conflicting_bars", m.ConflictingBars},
		{"missing_gaps", m.MissingGaps}, {"missing_bars", m.MissingBars}, {"off_session_bars", m.OffSessionBars},
	} {
		if err := out.Metric(x.name, float64(x.value)); err != nil {
			return err
		}
	}
	return nil
}
