package features

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

// Names of the artifact's files.
const (
	TableFile  = "features.parquet"
	SchemaFile = "feature_schema.json"
	ReportFile = "preprocess_report.json"
)

type config struct {
	Legs    *legs         `cty:"legs"`
	Source  *stage.Handle `cty:"source"`
	Windows *Params       `cty:"windows"`
	Labels  *LabelParams  `cty:"labels"`
}

type legs struct {
	A *stage.Handle `cty:"a"`
	B *stage.Handle `cty:"b"`
}

// Type is the features stage.
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: "features", Rev: 1,
		New: newRunner,
		Spec: stage.Schema{
			Doc: doc, Example: example, Table: true,
			Attrs: []stage.Attr{
				{Name: "legs", Type: cty.Object(map[string]cty.Type{"a": stage.HandleType, "b": stage.HandleType}),
					Doc: "Canonical bars of two legs, as { a = stage.x, b = stage.y }. Either legs or source is needed."},
				{Name: "source", Type: stage.HandleType, Doc: "Canonical bars of one symbol that carry z, rho_var_180 and atr_ratio."},
			},
			Blocks: []stage.Block{
				{Name: "windows", Doc: "The windows, in bars.", Attrs: windowAttrs()},
				{Name: "labels", Doc: "The thresholds of the labels.", Attrs: labelAttrs()},
			},
		},
	}
}

func number(name string, def float64, doc string) stage.Attr {
	return stage.Attr{Name: name, Type: cty.Number, Default: cty.NumberFloatVal(def), Doc: doc}
}

func windowAttrs() []stage.Attr {
	d := DefaultParams()
	return []stage.Attr{
		number("beta_window", float64(d.BetaWindow), "Rolling regression of leg A on leg B."),
		number("z_window", float64(d.ZWindow), "Mean and deviation of the spread, for z."),
		number("z_ema_span", float64(d.ZEMASpan), "Exponential averages of z and of its change."),
		number("stability_window", float64(d.StabilityWindow), "Stability of beta."),
		number("half_life_window", float64(d.HalfLifeWindow), "AR(1) fit of the spread."),
		number("drawdown_window", float64(d.DrawdownWindow), "Recent drawdown."),
		number("atr_period", float64(d.ATRPeriod), "Wilder's average true range."),
		number("rho_window", float64(d.RhoWindow), "Correlation of returns, and its variance."),
		number("ema_fast", float64(d.EMAFast), "The fast average of ema_gap."),
		number("ema_slow", float64(d.EMASlow), "The slow average of ema_gap."),
		number("slope_window", float64(d.SlopeWindow), "Slope of the holder's path."),
		number("rsi_period", float64(d.RSIPeriod), "Wilder's RSI."),
	}
}

func labelAttrs() []stage.Attr {
	d := DefaultLabels()
	return []stage.Attr{
		number("z_entry", d.ZEntry, "AI1: an entry has at least this |z|."),
		number("z_exit", d.ZExit, "AI1: reverted at this |z| or less."),
		number("delta_z_ema", d.DeltaZEMA, "AI1: an entry has at most this |EMA of delta z|. AI2: a risk above it."),
		number("ai1_horizon", float64(d.AI1Horizon), "AI1: bars within which z must revert."),
		number("rho_var", d.RhoVar, "AI2: a risk above this variance of the correlation."),
		number("atr_ratio", d.ATRRatio, "AI2: a risk above this ratio."),
		number("drawdown", d.Drawdown, "AI2: a risk above this recent drawdown."),
		number("ai2_horizon", float64(d.AI2Horizon), "AI2: bars after t that count as well; 0 for t alone."),
	}
}

// DefaultParams are the windows where the plan file says nothing.
func DefaultParams() Params {
	return Params{BetaWindow: 480, ZWindow: 120, ZEMASpan: 12, StabilityWindow: 120, HalfLifeWindow: 120, DrawdownWindow: 48,
		ATRPeriod: 14, RhoWindow: 180, EMAFast: 12, EMASlow: 26, SlopeWindow: 20, RSIPeriod: 14}
}

// DefaultLabels are the thresholds where the plan file says nothing.
func DefaultLabels() LabelParams {
	return LabelParams{ZEntry: 2, ZExit: 0.5, DeltaZEMA: 0.12, AI1Horizon: 48, RhoVar: 0.025, ATRRatio: 1.8, Drawdown: 0.07}
}

type runner struct {
	pair    bool
	windows Params
	labels  LabelParams
}

func newRunner(c config) (stage.Runner, error) {
	r := &runner{pair: c.Legs != nil, windows: DefaultParams(), labels: DefaultLabels()}
	switch {
	case c.Legs != nil && c.Source != nil:
		return nil, stage.Attrf("source", "legs and source exclude each other: a pair has two legs, a single symbol is a source")
	case c.Legs == nil && c.Source == nil:
		return nil, stage.Attrf("legs", "either legs = { a = …, b = … } or source is needed")
	case c.Legs != nil && (c.Legs.A == nil || c.Legs.B == nil):
		return nil, stage.Attrf("legs", "both legs are needed: legs = { a = …, b = … }")
	}
	if c.Windows != nil {
		r.windows = *c.Windows
	}
	if c.Labels != nil {
		r.labels = *c.Labels
	}
	if err := blockError("windows", r.windows.Check()); err != nil {
		return nil, err
	}
	if err := blockError("labels", r.labels.Check()); err != nil {
		return nil, err
	}
	return r, nil
}

func blockError(block string, err error) error {
	var p *ParamError
	if errors.As(err, &p) {
		return &stage.AttrError{Path: cty.GetAttrPath(block).GetAttr(p.Name), Err: p.Err}
	}
	return err
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	set, report, symbols, err := r.compute(ctx, db, in)
	if err != nil {
		return err
	}
	mode := "single"
	if r.pair {
		mode = "pair"
	}
	schema, err := NewSchema(set, mode, symbols, r.windows, r.labels).JSON()
	if err != nil {
		return err
	}
	table, err := report.JSON()
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(out.Path(SchemaFile), schema, 0o600), os.WriteFile(out.Path(ReportFile), table, 0o600)); err != nil {
		return err
	}
	return r.write(ctx, db, set, report, out)
}

// compute reads the bars, and computes features, labels and the report.
func (r *runner) compute(ctx context.Context, db *duck.DB, in stage.Inputs) (*Set, Report, []string, error) {
	if !r.pair {
		bars, err := readBars(ctx, db, in, "source", r.windows)
		if err != nil {
			return nil, Report{}, nil, err
		}
		set, err := Single(bars, r.windows)
		if err == nil {
			err = Label(set, r.labels, r.windows)
		}
		if err != nil {
			return nil, Report{}, nil, err
		}
		report, err := NewReport(set, Alignment{RowsA: bars.Len(), Joined: bars.Len()}, bars)
		return set, report, []string{bars.Symbol}, err
	}
	a, err := readBars(ctx, db, in, `legs["a"]`, r.windows)
	if err != nil {
		return nil, Report{}, nil, err
	}
	b, err := readBars(ctx, db, in, `legs["b"]`, r.windows)
	if err != nil {
		return nil, Report{}, nil, err
	}
	a, b, alignment, err := Align(a, b)
	if err != nil {
		return nil, Report{}, nil, err
	}
	set, err := Pair(a, b, r.windows)
	if err == nil {
		err = Label(set, r.labels, r.windows)
	}
	if err != nil {
		return nil, Report{}, nil, err
	}
	report, err := NewReport(set, alignment, a, b)
	return set, report, []string{a.Symbol, b.Symbol}, err
}

// readBars reads the table of a canonical stage. Quarantined bars are refused: they never reach training.
func readBars(ctx context.Context, db *duck.DB, in stage.Inputs, label string, p Params) (Bars, error) {
	src, err := in.Get(label)
	if err != nil {
		return Bars{}, err
	}
	b := Bars{Symbol: src.Artifact.Facts["symbol"], Carried: map[string][]float64{}}
	if src.Artifact.Facts["quarantine"] == "true" {
		return b, fmt.Errorf("the bars of %s are quarantined, and quarantined bars are not computed with: see __quarantine.json of that stage", label)
	}
	t, err := db.Table(ctx, src.Table())
	if err != nil {
		return b, err
	}
	if err := t.Require("timestamp", "open", "high", "low", "close"); err != nil {
		return b, fmt.Errorf("%s: %w", label, err)
	}
	var at duck.Seconds
	err = db.Fetch(ctx, []any{&at, &b.Open, &b.High, &b.Low, &b.Close},
		"SELECT CAST(timestamp AS TIMESTAMP), open, high, low, close FROM "+t.SQL+" ORDER BY 1")
	if err != nil {
		return b, err
	}
	b.Time = at
	if _, ok := t.Column("filled"); ok {
		if err := db.Fetch(ctx, []any{&b.Filled}, "SELECT coalesce(filled, false) FROM "+t.SQL+" ORDER BY CAST(timestamp AS TIMESTAMP)"); err != nil {
			return b, err
		}
	}
	for _, name := range []string{"z", p.rhoVar(), "atr_ratio"} {
		if _, ok := t.Column(name); !ok {
			continue
		}
		var col []float64
		if err := db.Fetch(ctx, []any{&col}, "SELECT "+duck.Ident(name)+" FROM "+t.SQL+" ORDER BY CAST(timestamp AS TIMESTAMP)"); err != nil {
			return b, err
		}
		b.Carried[name] = col
	}
	return b, nil
}

// write writes the table, and says what is worth an expectation.
func (r *runner) write(ctx context.Context, db *duck.DB, set *Set, report Report, out *stage.Output) error {
	series := []duck.Series{{Name: "timestamp", Values: duck.Seconds(set.Frame.Time)}}
	for _, name := range set.Frame.Names() {
		col, _ := set.Frame.Col(name)
		series = append(series, duck.Series{Name: name, Values: col})
	}
	rows, err := db.WriteColumns(ctx, out.Path(TableFile), series...)
	if err != nil {
		return err
	}
	out.Table(TableFile, rows)
	hash, _, err := digest.File(out.Path(TableFile))
	if err != nil {
		return err
	}
	out.Fact("feature_hash", hash.Hex())
	for _, m := range []struct {
		name  string
		value float64
	}{{"missing_share", report.MissingShare}, {"outlier_share", report.OutlierShare}, {"spike_share", report.SpikeShare},
		{"complete_rows", float64(report.Complete)}, {"ai1_samples", float64(report.AI1.Samples)}, {"ai2_samples", float64(report.AI2.Samples)}} {
		if err := out.Metric(m.name, m.value); err != nil {
			return err
		}
	}
	return nil
}

const doc = `Computes the features and labels of a pair of legs, or of one symbol, from canonical bars. Everything is causal: a
feature at t reads bars up to t and nothing later. Features are written unscaled; the trainer fits robust scalers on the
rows that it trains on and puts them into its copy of the schema.

Files: ` + "`features.parquet`" + ` (timestamp, coefficients and prices, features, labels), ` + "`feature_schema.json`" + ` (the columns and their order)
and ` + "`preprocess_report.json`" + `. Metrics: missing_share, outlier_share, spike_share, complete_rows, ai1_samples, ai2_samples.

The label AI1 (reversion) is 1 if, after an entry at |z| >= z_entry with |EMA of delta z| <= delta_z_ema, |z| <= z_exit is
reached within ai1_horizon bars, or passed from one bar to the next; bars without an entry have none. AI2 (risk) is 1 where
one of its thresholds is passed, at the bar itself or, with ai2_horizon, at one of that many bars after it. A label whose
horizon reaches past the last bar is missing, also when its outcome is known already: those that come early would be a
biased sample. ai1_end and ai2_end are the times of the last bar that decided a label (Unix seconds), for exact purging.

What the columns are, where their names leave a choice: beta is the least-squares slope of log A on log B; spread the
distance of log A from that line; delta_z_ema the EMA of delta z; atr_ratio the legs' ATRs as shares of their closes,
divided, so that pairs of any quotation compare; rho_180 the correlation of log returns and rho_var_180 its variance over
as many bars; beta_stability 1/(1 + deviation/|mean|) of beta; half_life that of an AR(1) fit, within 0 and its window.
ema_gap, slope, rsi and drawdown_recent are of the path that a holder of one unit of A against beta of B earns, with the
beta of the bar before; drawdown_recent is the larger of a long and a short holder's. abs_z, abs_delta_z_ema and the columns
that end in _side (times the sign of z) let a linear model see that a high and a low z are the same situation mirrored.

Shares: missing_share is of timestamps that one leg lacks or that were filled; outlier_share of log changes more than 8
robust sigmas out; spike_share of those of which the next bar takes back at least half.`

const example = `stage "features" "pair" {
  legs = { a = stage.eurusd, b = stage.usdjpy }
  windows {
    beta_window = 480
    z_window    = 120
  }
  expect "metric_to_be_between" {
    metric    = "missing_share"
    max_value = 0.05
  }
}`
