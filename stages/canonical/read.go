package canonical

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

const (
	stampName  = "timestamp"
	volumeName = "volume"
	filledName = "filled"
	spikeName  = "spike"
)

func priceNames() []string   { return []string{"open", "high", "low", "close"} }
func carriedNames() []string { return []string{"z", "rho_var_180", "atr_ratio"} }

// job is one run of a runner.
type job struct {
	*runner
	names  []string // of the values of a row: prices, volume, carried and further columns
	volume bool     // there is a volume, right behind the prices
	utc    bool     // stamps are in UTC as they are read, whatever the zone
	rows   []row
	known  counts
}

// read reads the rows of the source. Their stamps are local, unless j.utc is set.
func (j *job) read(ctx context.Context, db *duck.DB, path string) error {
	t, err := db.Table(ctx, path)
	if err != nil {
		return err
	}
	if n, err := db.Count(ctx, t.SQL); err != nil {
		return err
	} else if n == 0 {
		return fmt.Errorf("%s holds no rows, so there are no bars", t.Name)
	}
	sources, err := j.columns(t)
	if err != nil {
		return err
	}
	at, err := j.stamps(ctx, db, t, path, sources[0])
	if err != nil {
		return err
	}
	values := make([][]float64, len(j.names))
	dest, list := make([]any, len(j.names)), make([]string, len(j.names))
	for i, source := range sources[1:] {
		dest[i], list[i] = &values[i], duck.Ident(source)+"::DOUBLE"
	}
	if err := db.Fetch(ctx, dest, "SELECT "+strings.Join(list, ", ")+" FROM "+t.SQL); err != nil {
		return fmt.Errorf("%s: a price or another number is none: %w", t.Name, err)
	}
	j.rows = make([]row, len(at))
	flat := make([]float64, len(at)*len(values))
	for i := range at {
		v := flat[i*len(values) : (i+1)*len(values) : (i+1)*len(values)]
		for k := range values {
			v[k] = values[k][i]
		}
		j.rows[i] = row{at: at[i], values: v}
	}
	return nil
}

// columns decides which columns there are and returns their names in the source, the stamp first.
func (j *job) columns(t *duck.Table) ([]string, error) {
	sources := []string{}
	take := func(name string, needed bool) error {
		source, mapped := j.Columns[name]
		if !mapped {
			source = name
		}
		c, ok := t.Column(source)
		switch {
		case ok:
			sources = append(sources, c.Name)
			if name != stampName {
				j.names = append(j.names, name)
			}
		case mapped:
			return &stage.AttrError{Path: cty.GetAttrPath("columns").IndexString(name), Err: t.Require(source)}
		case needed:
			return stage.Attrf("columns", "the column %s is missing (%v): say what it is called, as in columns = { %s = \"…\" }", name, t.Require(source), name)
		}
		return nil
	}
	for _, name := range append([]string{stampName}, priceNames()...) {
		if err := take(name, true); err != nil {
			return nil, err
		}
	}
	rest := append([]string{volumeName}, carriedNames()...)
	for _, name := range sortedNames(j.Columns) {
		if name != stampName && !slices.Contains(priceNames(), name) && !slices.Contains(rest, name) {
			rest = append(rest, name)
		}
	}
	for _, name := range rest {
		if err := take(name, false); err != nil {
			return nil, err
		}
	}
	j.volume = len(j.names) > priceCount && j.names[priceCount] == volumeName
	return sources, nil
}

// stamps reads the stamps in seconds.
func (j *job) stamps(ctx context.Context, db *duck.DB, t *duck.Table, path, source string) ([]int64, error) {
	c, _ := t.Column(source)
	expr, absolute, err := j.stampExpr(c)
	if err != nil {
		return nil, fmt.Errorf("%s, column %q: %w", t.Name, source, err)
	}
	if !absolute {
		if absolute, err = j.carriesZone(ctx, db, t, path, c); err != nil {
			return nil, err
		}
	}
	var micros []float64 // exact far beyond any date
	query := "SELECT epoch_us((" + expr + ")::TIMESTAMP) FROM " + t.SQL
	if err := db.Fetch(ctx, []any{&micros}, query); err != nil {
		return nil, fmt.Errorf("%s, column %q: %w", t.Name, source, err)
	}
	at := make([]int64, len(micros))
	for i, m := range micros {
		switch {
		case math.IsNaN(m):
			return nil, fmt.Errorf("%s, column %q: row %d has no stamp", t.Name, source, i+1)
		case math.Mod(m, 1e6) != 0:
			return nil, fmt.Errorf("%s, column %q: row %d (%s) is not on a whole second, so it is no bar", t.Name, source, i+1,
				time.UnixMicro(int64(m)).UTC().Format(time.RFC3339Nano))
		}
		at[i] = int64(m) / 1e6
	}
	j.utc = absolute
	return at, nil
}

// stampExpr returns the SQL that makes a TIMESTAMP of a column, and whether it is in UTC whatever the zone.
func (j *job) stampExpr(c duck.Column) (expr string, absolute bool, err error) {
	name, format := duck.Ident(c.Name), ""
	if j.TimestampFormat != nil {
		format = *j.TimestampFormat
	}
	switch {
	case format == "epoch":
		return "to_timestamp(" + name + "::DOUBLE) AT TIME ZONE 'UTC'", true, nil
	case format == "epoch_ms":
		return "epoch_ms(" + name + "::BIGINT)", true, nil
	case strings.HasPrefix(c.Type, "TIMESTAMP"), c.Type == "DATE":
		return name, false, nil
	case c.Type == "VARCHAR" && format != "":
		return "strptime(" + name + ", " + duck.Literal(format) + ")", strings.Contains(format, "%z"), nil
	case c.Type == "VARCHAR":
		return "", false, fmt.Errorf("not every stamp is recognised: set timestamp_format, such as \"%%d.%%m.%%Y %%H:%%M\"")
	}
	return "", false, fmt.Errorf("stamps are of type %s: set timestamp_format to epoch or epoch_ms if they count from 1970", c.Type)
}

// carriesZone reports whether stamps say themselves how far from UTC they are.
func (j *job) carriesZone(ctx context.Context, db *duck.DB, t *duck.Table, path string, c duck.Column) (bool, error) {
	if slices.Contains(t.Zoned, c.Name) {
		return true, nil
	}
	format := duck.FormatOf(path)
	if j.clock.utc || c.Type == "DATE" || format != duck.JSON && format != duck.NDJSON {
		return false, nil
	}
	var with, all int64
	err := db.Row(ctx, []any{&with, &all}, "SELECT count(*) FILTER (regexp_matches("+duck.Ident(c.Name)+`, '(Z|[+-]\d\d(:?\d\d)?)$')), count(*) FROM `+
		duck.ScanText(path, c.Name))
	switch {
	case err != nil:
		return false, err
	case with > 0 && with < all:
		return false, fmt.Errorf("%s, column %q: %d of %d stamps say how far from UTC they are, and the others do not: write all in one way", t.Name, c.Name, with, all)
	}
	return with > 0, nil
}
