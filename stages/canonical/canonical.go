package canonical

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
)

type config struct {
	Source           *stage.Handle     `cty:"source"`
	Columns          map[string]string `cty:"columns"`
	Timeframe        string            `cty:"timeframe"`
	Symbol           *string           `cty:"symbol"`
	Period           *string           `cty:"period"`
	Scale            float64           `cty:"scale"`
	Decimals         *int              `cty:"decimals"`
	Zone             string            `cty:"zone"`
	Ambiguous        string            `cty:"ambiguous"`
	TimestampFormat  *string           `cty:"timestamp_format"`
	Dedup            string            `cty:"dedup"`
	Conflicts        string            `cty:"conflicts"`
	Calendar         string            `cty:"calendar"`
	Holidays         []string          `cty:"holidays"`
	MaxGapBars       int               `cty:"max_gap_bars"`
	MaxMissingGaps   int               `cty:"max_missing_gaps"`
	OutlierSigma     float64           `cty:"outlier_sigma"`
	OutlierWindow    int               `cty:"outlier_window"`
	OutlierThreshold float64           `cty:"outlier_threshold"`
	SpikeThreshold   float64           `cty:"spike_threshold"`
	Format           string            `cty:"format"`
}

// Type is the stage type "canonical".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: "canonical", Rev: 1,
		Spec: stage.Schema{Doc: doc, Table: true, Example: example, Attrs: attrs()},
		New:  newRunner,
	}
}

func attrs() []stage.Attr {
	return []stage.Attr{
		{Name: "source", Type: stage.HandleType, Required: true, Doc: "The table of bars."},
		{Name: "columns", Type: cty.Map(cty.String), Doc: "Names in the source by canonical name, such as `{ timestamp = \"Date\", volume = \"tick_volume\" }`, where they differ. `timestamp`, `open`, `high`, `low` and `close` must be there; `volume`, `z`, `rho_var_180` and `atr_ratio` are taken if they are; any further name adds a column of numbers."},
		{Name: "timeframe", Type: cty.String, Default: cty.StringVal("1h"), Doc: "Distance of bars: minutes, hours or days that divide a day, such as `1m`, `15m`, `1h`, `4h`, `1d`. A stamp is when its bar opens."},
		{Name: "symbol", Type: cty.String, Doc: "What is traded, such as `EURUSD`; stands in the metadata and facts."},
		{Name: "period", Type: cty.String, Doc: "Keep only this year, month or day in UTC: `2025`, `2025-01`, `2025-01-31`. Bars around it still help to judge those at its ends."},
		{Name: "scale", Type: cty.Number, Default: cty.NumberIntVal(1), Doc: "Prices are divided by this number, such as `100000` for prices in units of 0.00001."},
		{Name: "decimals", Type: cty.Number, Doc: "Prices are rounded to so many decimals. Also says how small a price change can be."},
		{Name: "zone", Type: cty.String, Default: cty.StringVal("UTC"), Doc: "Zone of stamps that carry none: an IANA name such as `America/New_York`, also with an offset behind it, as in `America/New_York+07:00`, the clock of many brokers (their day begins when New York closes)."},
		{Name: "ambiguous", Type: cty.String, Default: cty.StringVal("error"), OneOf: []string{"error", "earlier", "later"}, Doc: "What a stamp means that the zone's clock shows twice when it is put back. Where every such stamp is there twice, the two are told apart by which continues the price, whatever is set here. Stamps that a clock put forward never shows are always an error."},
		{Name: "timestamp_format", Type: cty.String, Doc: "How stamps are written, if they are not recognised: in the letters of strptime, such as `%d.%m.%Y %H:%M`, or `epoch` or `epoch_ms` for numbers."},
		{Name: "dedup", Type: cty.String, Default: cty.StringVal("exact"), OneOf: []string{"exact", "none"}, Doc: "`exact` drops rows that repeat another in every canonical column; with `none` they are conflicts."},
		{Name: "conflicts", Type: cty.String, Default: cty.StringVal("error"), OneOf: []string{"error", "quarantine"}, Doc: "What two different rows of one stamp mean: the stage fails, or all rows of that stamp are taken out and the partition is quarantined."},
		{Name: "calendar", Type: cty.String, Default: cty.StringVal("fx"), OneOf: []string{"fx", "weekdays", "24x7"}, Doc: "When bars are expected. `fx`: Sunday 17:00 to Friday 17:00 in New York, with less on the days around 25 December and 1 January. `weekdays`: Monday to Friday by the zone's clock. `24x7`: always."},
		{Name: "holidays", Type: cty.List(cty.String), Doc: "Further days, as `2025-04-18`, on which bars may be missing: from 17:00 in New York on the day before, for `fx`; by the zone's clock for the others."},
		{Name: "max_gap_bars", Type: cty.Number, Default: cty.NumberIntVal(2), Doc: "Gaps of at most so many expected bars are filled."},
		{Name: "max_missing_gaps", Type: cty.Number, Default: cty.NumberIntVal(0), Doc: "More gaps than this that are too long to be filled quarantine the partition."},
		{Name: "outlier_sigma", Type: cty.Number, Default: cty.NumberIntVal(8), Doc: "A change of the close beyond so many robust standard deviations is looked at; 0 looks at none."},
		{Name: "outlier_window", Type: cty.Number, Default: cty.NumberIntVal(500), Doc: "How many changes before a bar its standard deviation is taken from. Under 50 no bar is judged."},
		{Name: "outlier_threshold", Type: cty.Number, Default: cty.NumberFloatVal(0.02), Doc: "A larger share of bars that were taken out quarantines the partition."},
		{Name: "spike_threshold", Type: cty.Number, Default: cty.NumberFloatVal(0.01), Doc: "A larger share of bars that were flagged as spikes and kept quarantines the partition."},
		{Name: "format", Type: cty.String, Default: cty.StringVal("json"), OneOf: []string{"json", "parquet"}, Doc: "`json` writes `canonical.json`, an array with one bar a line; `parquet` writes `canonical.parquet`, better for many bars."},
	}
}

const doc = `Brings price bars into one form: stamps in UTC, ascending and on the timeframe's grid; prices scaled and rounded; repeated
rows dropped; bad ticks taken out; short gaps filled. The order of rows, repeated rows and the way a file is written do not
change the output by a byte.

**Files.** ` + "`canonical.json` (or `.parquet`)" + ` has the columns ` + "`timestamp`, `open`, `high`, `low`, `close`, `volume`" + ` and further ones
of the source, then ` + "`filled` and `spike`. `__meta.json`" + ` counts what was done and lists the gaps that were not filled.
` + "`__quarantine.json`" + ` is there only if the partition is quarantined, and says why; the fact ` + "`quarantine`" + ` says the same to
stages below. A quarantined partition is still written.

**Invalid bars** have a price that is missing or not above zero, or a high or low that does not enclose open and close. They
are taken out.

**Bad ticks.** The change of the close (logarithmic, from the last bar that was kept) is compared with 1.4826 times the median
absolute deviation of the changes in the window before it, at least the smallest price change. Beyond ` + "`outlier_sigma`" + ` times that, the bar
is a spike. It is taken out only if the price comes back, so that it stands as far from the median of the next three closes, and
does so in no time: by a leap of that size from a close to the next open. A jump that lasts is kept and flagged; so is a
market that turns (it trades at the prices between), and a spike at the very end, where nothing follows. The measure never
looks ahead; whether a spike is a bad tick needs the three bars after it.

**Gaps.** Between two bars that are there, expected bars that are missing are a gap. Up to ` + "`max_gap_bars`" + ` are filled: prices
are the close before, volume is 0, other columns keep their value, ` + "`filled`" + ` is true. Longer gaps stay, are counted in
` + "`missing_gaps`" + `, and quarantine the partition if there are more than ` + "`max_missing_gaps`" + `. The calendar ` + "`fx`" + ` expects no bars from
24 December 11:00 to 26 December 02:00 and from 31 December 11:00 to 2 January 02:00 in New York, when feeds differ. Bars at
times when none is expected are kept and counted in ` + "`off_session_bars`" + `.

**Metrics**: ` + "`bars_written`, `filled_bars`, `outlier_bars`, `spike_flags`, `invalid_bars`, `conflicting_bars`, `missing_gaps`, `missing_bars`, `off_session_bars`" + `.
**Facts**: ` + "`symbol`, `timeframe`, `first_ts`, `last_ts`, `data_hash`, `quarantine`" + `.`

const example = `stage "canonical" "gbpusd" {
  source    = input.gbpusd
  columns   = { timestamp = "Date", volume = "tick_volume" }
  symbol    = "GBPUSD"
  timeframe = "1h"
  scale     = 100000
  decimals  = 5
  zone      = "America/New_York+07:00"
  format    = "parquet"
}
`

type runner struct {
	config
	step    int64 // seconds between bars
	clock   clock
	days    map[string]bool // holidays
	from    int64           // of the period, inclusive
	until   int64           // exclusive; 0 if there is no period
	pow     float64         // 10 to the power of decimals; 0 if prices are not rounded
	symbol  string
	session session
}

func newRunner(c config) (stage.Runner, error) {
	r := &runner{config: c, days: map[string]bool{}}
	var err error
	if r.step, err = parseTimeframe(c.Timeframe); err != nil {
		return nil, err
	}
	if r.clock, err = parseZone(c.Zone); err != nil {
		return nil, err
	}
	if c.Symbol != nil {
		r.symbol = *c.Symbol
	}
	if c.Decimals != nil {
		if *c.Decimals < 0 || *c.Decimals > 12 {
			return nil, stage.Attrf("decimals", "decimals must be from 0 to 12, and is %d", *c.Decimals)
		}
		r.pow = math.Pow10(*c.Decimals)
	}
	if c.Period != nil {
		if r.from, r.until, err = parsePeriod(*c.Period); err != nil {
			return nil, err
		}
	}
	for i, h := range c.Holidays {
		if _, err := time.Parse(time.DateOnly, h); err != nil {
			return nil, &stage.AttrError{Path: cty.GetAttrPath("holidays").IndexInt(i), Err: fmt.Errorf("%q is no day: write it as 2025-04-18", h)}
		}
		r.days[h] = true
	}
	if err := c.checkNumbers(); err != nil {
		return nil, err
	}
	if err := c.checkColumns(); err != nil {
		return nil, err
	}
	r.session = newSession(c.Calendar, r.clock, r.days)
	return r, nil
}

func (c config) checkNumbers() error {
	for _, n := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"scale", c.Scale, c.Scale > 0, "above 0"},
		{"max_gap_bars", float64(c.MaxGapBars), c.MaxGapBars >= 0, "0 or more"},
		{"max_missing_gaps", float64(c.MaxMissingGaps), c.MaxMissingGaps >= 0, "0 or more"},
		{"outlier_sigma", c.OutlierSigma, c.OutlierSigma >= 0, "0 or more"},
		{"outlier_window", float64(c.OutlierWindow), c.OutlierWindow >= minJudged, fmt.Sprintf("%d or more", minJudged)},
		{"outlier_threshold", c.OutlierThreshold, c.OutlierThreshold >= 0 && c.OutlierThreshold <= 1, "from 0 to 1"},
		{"spike_threshold", c.SpikeThreshold, c.SpikeThreshold >= 0 && c.SpikeThreshold <= 1, "from 0 to 1"},
	} {
		if !n.ok {
			return stage.Attrf(n.name, "%s must be %s, and is %v", n.name, n.want, n.value)
		}
	}
	return nil
}

var columnName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func (c config) checkColumns() error {
	seen := map[string]string{}
	for _, name := range sortedNames(c.Columns) {
		at := cty.GetAttrPath("columns").IndexString(name)
		switch {
		case !columnName.MatchString(name):
			return &stage.AttrError{Path: at, Err: fmt.Errorf("%q cannot name a canonical column: use lower-case letters, digits and _", name)}
		case name == filledName || name == spikeName:
			return &stage.AttrError{Path: at, Err: fmt.Errorf("the column %q is made by this stage: name yours differently", name)}
		case seen[c.Columns[name]] != "":
			return &stage.AttrError{Path: at, Err: fmt.Errorf("%s and %s are both taken from %q", seen[c.Columns[name]], name, c.Columns[name])}
		}
		seen[c.Columns[name]] = name
	}
	return nil
}

var timeframe = regexp.MustCompile(`^([1-9]\d{0,3})(m|h|d)$`)

// parseTimeframe returns the seconds between bars.
func parseTimeframe(s string) (int64, error) {
	m := timeframe.FindStringSubmatch(s)
	if m == nil {
		return 0, stage.Attrf("timeframe", "%q is no timeframe: write minutes, hours or a day, such as 15m, 1h, 4h, 1d", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, stage.Attrf("timeframe", "%q is no timeframe: %v", s, err)
	}
	step := n * map[string]int64{"m": 60, "h": 3600, "d": day}[m[2]]
	if step > day || day%step != 0 {
		return 0, stage.Attrf("timeframe", "bars of %s do not divide a day: use a timeframe such as 15m, 1h, 4h, 1d", s)
	}
	return step, nil
}

// parsePeriod returns the first second of a year, month or day and the first one after it.
func parsePeriod(s string) (from, until int64, err error) {
	for _, p := range []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {"2006-01-02", 0, 0, 1}} {
		if t, err := time.Parse(p.layout, s); err == nil {
			return t.Unix(), t.AddDate(p.years, p.months, p.days).Unix(), nil
		}
	}
	return 0, 0, stage.Attrf("period", "%q is no period: write a year, month or day, such as 2025, 2025-01, 2025-01-31", s)
}
