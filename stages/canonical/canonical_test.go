package canonical

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/stage/stagetest"
)

const sample = `[
  {"timestamp": "2025-01-07T02:00:00Z", "open": 1.02, "high": 1.03, "low": 1.0, "close": 1.015, "volume": 1200, "z": 0.6, "rho_var_180": 0.019, "atr_ratio": 1.1},
  {"timestamp": "2025-01-07T00:00:00Z", "open": 0.99, "high": 1.01, "low": 0.985, "close": 1.0, "volume": 1000, "z": 0.5, "rho_var_180": 0.02, "atr_ratio": 1.2},
  {"timestamp": "2025-01-07T01:00:00Z", "open": 1.0, "high": 1.025, "low": 0.995, "close": 1.02, "volume": 950, "z": 0.4, "rho_var_180": 0.022, "atr_ratio": 1.15}
]`

const canonicalSample = `[
{"timestamp":"2025-01-07T00:00:00Z","open":0.99,"high":1.01,"low":0.985,"close":1,"volume":1000,"z":0.5,"rho_var_180":0.02,"atr_ratio":1.2,"filled":false,"spike":false},
{"timestamp":"2025-01-07T01:00:00Z","open":1,"high":1.025,"low":0.995,"close":1.02,"volume":950,"z":0.4,"rho_var_180":0.022,"atr_ratio":1.15,"filled":false,"spike":false},
{"timestamp":"2025-01-07T02:00:00Z","open":1.02,"high":1.03,"low":1,"close":1.015,"volume":1200,"z":0.6,"rho_var_180":0.019,"atr_ratio":1.1,"filled":false,"spike":false}
]
`

// on is a case whose source is one file.
func on(name, file, content, config string) stagetest.Case {
	return stagetest.Case{Name: name, Config: "source = input.raw\n" + config,
		Upstreams: map[string]stagetest.Upstream{"input.raw": stagetest.Table(file, content, 0)}}
}

func (c checked) gives(check func(t *testing.T, r stagetest.Result)) stagetest.Case {
	k := stagetest.Case(c)
	k.Check = check
	return k
}

type checked stagetest.Case

func fails(c stagetest.Case, attr, want string) stagetest.Case {
	c.WantAttr, c.WantErr = attr, want
	return c
}

// bars writes a CSV file with bars at the given stamps; the n-th closes at 1 + n/1000.
func bars(stamps ...string) string {
	var b strings.Builder
	b.WriteString("timestamp,open,high,low,close,volume\n")
	last := 1.0
	for n, s := range stamps {
		c := 1 + float64(n)/1000
		fmt.Fprintf(&b, "%s,%.3f,%.3f,%.3f,%.3f,%d\n", s, last, max(c, last), min(c, last), c, 100+n)
		last = c
	}
	return b.String()
}

func stampsOf(t *testing.T, r stagetest.Result) []string {
	t.Helper()
	var rows []struct {
		Timestamp string
		Filled    bool
	}
	if err := json.Unmarshal([]byte(r.File(t, "canonical.json")), &rows); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, b := range rows {
		s := strings.TrimSuffix(b.Timestamp, ":00:00Z")
		if b.Filled {
			s += " filled"
		}
		list = append(list, s)
	}
	return list
}

func wantStamps(want ...string) func(*testing.T, stagetest.Result) {
	return func(t *testing.T, r stagetest.Result) {
		t.Helper()
		if d := cmp.Diff(want, stampsOf(t, r)); d != "" {
			t.Error(d)
		}
	}
}

func with(c stagetest.Case, check func(*testing.T, stagetest.Result)) stagetest.Case {
	return checked(c).gives(check)
}

func TestType(t *testing.T) {
	ny := `zone = "America/New_York"` + "\ncalendar = \"24x7\"\n"
	stagetest.Run(t, Type(),
		with(on("sample", "raw.json", sample, `symbol = "EURUSD"`), func(t *testing.T, r stagetest.Result) {
			if d := cmp.Diff(canonicalSample, r.File(t, "canonical.json")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"__meta.json", "canonical.json"}, r.Files); d != "" || r.Rows != 3 || r.Main != "canonical.json" {
				t.Error(d)
			}
			if r.Facts["symbol"] != "EURUSD" || r.Facts["last_ts"] != "2025-01-07T02:00:00Z" || r.Facts["quarantine"] != "false" || r.Metrics["bars_written"] != 3 {
				t.Errorf("facts %v, metrics %v", r.Facts, r.Metrics)
			}
		}),
		with(on("scale, names and float noise", "raw.csv", "Date,open,high,low,close,tick_volume,spread\n"+
			"2025-01-07 00:00:00,103428.00000000001,103430.0,103176.0,103258.99999999999,4912,7\n",
			"scale = 100000\ndecimals = 5\ncolumns = { timestamp = \"date\", volume = \"tick_volume\", spread_points = \"spread\" }"),
			func(t *testing.T, r stagetest.Result) {
				want := "[\n" + `{"timestamp":"2025-01-07T00:00:00Z","open":1.03428,"high":1.0343,"low":1.03176,"close":1.03259,"volume":4912,"spread_points":7,"filled":false,"spike":false}` + "\n]\n"
				if d := cmp.Diff(want, r.File(t, "canonical.json")); d != "" {
					t.Error(d)
				}
			}),
		with(on("short gaps are filled", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 01:00", "2025-01-07 04:00"), ""),
			func(t *testing.T, r stagetest.Result) {
				wantStamps("2025-01-07T00", "2025-01-07T01", "2025-01-07T02 filled", "2025-01-07T03 filled", "2025-01-07T04")(t, r)
				line := strings.Split(r.File(t, "canonical.json"), "\n")[3]
				if line != `{"timestamp":"2025-01-07T02:00:00Z","open":1.001,"high":1.001,"low":1.001,"close":1.001,"volume":0,"filled":true,"spike":false},` {
					t.Error(line)
				}
				if r.Metrics["filled_bars"] != 2 || r.Metrics["missing_gaps"] != 0 {
					t.Errorf("metrics %v", r.Metrics)
				}
			}),
		with(on("long gaps quarantine", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 04:00"), ""), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-01-07T00", "2025-01-07T04")(t, r)
			var q quarantine
			if err := json.Unmarshal([]byte(r.File(t, "__quarantine.json")), &q); err != nil {
				t.Fatal(err)
			}
			want := quarantine{reason: reason{"missing_gaps", 0, 1}, Period: period{"2025-01-07T00:00:00Z", "2025-01-07T04:00:00Z"},
				Reasons: []reason{{"missing_gaps", 0, 1}}, Gaps: []gap{{After: "2025-01-07T00:00:00Z", Before: "2025-01-07T04:00:00Z", Bars: 3}}}
			if d := cmp.Diff(want, q, cmp.AllowUnexported(quarantine{}, gap{})); d != "" || r.Facts["quarantine"] != "true" || r.Metrics["missing_bars"] != 3 {
				t.Error(d, r.Facts, r.Metrics)
			}
		}),
		with(on("long gaps within the limit", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 04:00"), "max_missing_gaps = 1"), func(t *testing.T, r stagetest.Result) {
			if r.Facts["quarantine"] != "false" || len(r.Files) != 2 {
				t.Errorf("facts %v, files %v", r.Facts, r.Files)
			}
		}),
		// Friday 17:00 in New York is 22:00 UTC in winter and 21:00 in summer.
		with(on("a weekend in winter", "raw.csv", bars("2025-01-10 20:00", "2025-01-12 22:00"), ""), wantStamps("2025-01-10T20", "2025-01-10T21 filled", "2025-01-12T22")),
		with(on("a weekend in summer", "raw.csv", bars("2025-07-11 20:00", "2025-07-13 21:00"), ""), wantStamps("2025-07-11T20", "2025-07-13T21")),
		with(on("Christmas", "raw.csv", bars("2024-12-24 15:00", "2024-12-26 07:00"), ""), wantStamps("2024-12-24T15", "2024-12-26T07")),
		with(on("a holiday", "raw.csv", bars("2025-04-17 20:00", "2025-04-20 21:00"), `holidays = ["2025-04-18"]`), wantStamps("2025-04-17T20", "2025-04-20T21")),
		with(on("bars on a Saturday are kept and counted", "raw.csv", bars("2025-01-10 21:00", "2025-01-11 12:00"), ""), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-01-10T21", "2025-01-11T12")(t, r)
			if r.Metrics["off_session_bars"] != 1 {
				t.Errorf("metrics %v", r.Metrics)
			}
		}),
		with(on("broker's clock", "raw.csv", bars("2025-01-10 23:00", "2025-01-13 00:00", "2025-07-11 23:00", "2025-07-14 00:00"), "zone = \"America/New_York+07:00\"\nmax_missing_gaps = 1"),
			wantStamps("2025-01-10T21", "2025-01-12T22", "2025-07-11T20", "2025-07-13T21")),
		with(on("weekdays", "raw.csv", bars("2025-01-10 23:00", "2025-01-13 00:00"), `calendar = "weekdays"`), wantStamps("2025-01-10T23", "2025-01-13T00")),

		// The clock of New York was put forward on 2025-03-09 from 02:00 to 03:00 and back on 2025-11-02 from 02:00 to 01:00.
		with(on("clock put forward", "raw.csv", bars("2025-03-09 01:00", "2025-03-09 03:00"), ny), wantStamps("2025-03-09T06", "2025-03-09T07")),
		fails(on("an hour that never was", "raw.csv", bars("2025-03-09 01:00", "2025-03-09 02:00"), ny), "", "1 stamps, the first 2025-03-09 02:00:00, never were on the clock of America/New_York"),
		with(on("clock put back, all bars there", "raw.csv", bars("2025-11-02 00:00", "2025-11-02 01:00", "2025-11-02 01:00", "2025-11-02 02:00"), ny), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-11-02T04", "2025-11-02T05", "2025-11-02T06", "2025-11-02T07")(t, r)
			if !strings.Contains(r.File(t, "canonical.json"), `05:00:00Z","open":1,"high":1.001,`) {
				t.Error("the two passes are the wrong way round")
			}
		}),
		fails(on("clock put back, one bar", "raw.csv", bars("2025-11-02 00:00", "2025-11-02 01:00"), ny), "", "the clock of America/New_York shows 2025-11-02 01:00:00 twice"),
		with(on("the earlier", "raw.csv", bars("2025-11-02 00:00", "2025-11-02 01:00", "2025-11-02 02:00"), ny+`ambiguous = "earlier"`), wantStamps("2025-11-02T04", "2025-11-02T05", "2025-11-02T06 filled", "2025-11-02T07")),
		with(on("the later", "raw.csv", bars("2025-11-02 00:00", "2025-11-02 01:00"), ny+`ambiguous = "later"`), wantStamps("2025-11-02T04", "2025-11-02T05 filled", "2025-11-02T06")),
		with(on("days by the zone's clock", "raw.csv", bars("2025-03-08", "2025-03-09", "2025-03-11"), ny+`timeframe = "1d"`),
			wantStamps("2025-03-08T05", "2025-03-09T05", "2025-03-10T04 filled", "2025-03-11T04")),
		with(on("stamps with a zone keep theirs, CSV", "raw.csv", bars("2025-11-02T05:00:00Z", "2025-11-02T01:00:00-05:00"), ny), wantStamps("2025-11-02T05", "2025-11-02T06")),
		with(on("stamps with a zone keep theirs, JSON", "raw.json", sample, ny), wantStamps("2025-01-07T00", "2025-01-07T01", "2025-01-07T02")),
		fails(on("some stamps with a zone", "raw.json", strings.Replace(sample, "02:00:00Z", "02:00:00", 1), ny), "", `raw.json, column "timestamp": not every stamp is recognised`),

		with(on("format of stamps", "raw.csv", bars("07.01.2025 00:00", "07.01.2025 01:00"), `timestamp_format = "%d.%m.%Y %H:%M"`), wantStamps("2025-01-07T00", "2025-01-07T01")),
		with(on("stamps that count", "raw.csv", bars("1736208000", "1736211600"), `timestamp_format = "epoch"`), wantStamps("2025-01-07T00", "2025-01-07T01")),
		with(on("stamps that count milliseconds", "raw.csv", bars("1736208000000"), `timestamp_format = "epoch_ms"`), wantStamps("2025-01-07T00")),
		fails(on("stamps that are not recognised", "raw.csv", bars("2 Jan at 1"), ""), "", `raw.csv, column "timestamp": not every stamp is recognised: set timestamp_format`),
		fails(on("stamps that do not fit the format", "raw.csv", bars("2 Jan at 1"), `timestamp_format = "%Y"`), "", `raw.csv, column "timestamp": `),
		fails(on("numbers as stamps", "raw.csv", bars("1736208000"), ""), "", "stamps are of type BIGINT: set timestamp_format to epoch or epoch_ms"),
		fails(on("no stamp", "raw.csv", bars("2025-01-07 00:00", ""), ""), "", "row 2 has no stamp"),
		fails(on("parts of a second", "raw.csv", bars("2025-01-07 00:00:00.5"), ""), "", "is not on a whole second"),

		fails(on("conflicts", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 00:00"), ""), "", "1 stamps have more than one row, with different values, the first 2025-01-07T00:00:00Z"),
		with(on("conflicts in quarantine", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 01:00", "2025-01-07 01:00", "2025-01-07 02:00"), `conflicts = "quarantine"`), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-01-07T00", "2025-01-07T01 filled", "2025-01-07T02")(t, r)
			if r.Metrics["conflicting_bars"] != 1 || !strings.Contains(r.File(t, "__quarantine.json"), `"reason": "conflicting_bars"`) {
				t.Errorf("metrics %v", r.Metrics)
			}
		}),
		fails(on("repeated rows as conflicts", "raw.json", strings.Replace(sample, "[", "["+strings.Split(sample, "\n")[1], 1), `dedup = "none"`), "", "1 stamps have more than one row"),
		with(on("invalid bars", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 01:00")+"2025-01-07 02:00,1,0.9,0.8,1,5\n2025-01-07 03:00,1,1,0,1,5\n2025-01-07 04:00,1,1,1,1,5\n", ""), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-01-07T00", "2025-01-07T01", "2025-01-07T02 filled", "2025-01-07T03 filled", "2025-01-07T04")(t, r)
			if r.Metrics["invalid_bars"] != 2 {
				t.Errorf("metrics %v", r.Metrics)
			}
		}),
		with(on("period", "raw.csv", bars("2025-01-30 23:00", "2025-01-31 23:00", "2025-02-03 00:00", "2025-02-03 01:00", "2025-03-03 01:00"), "period = \"2025-02\"\ncalendar = \"weekdays\""), func(t *testing.T, r stagetest.Result) {
			wantStamps("2025-02-03T00", "2025-02-03T01")(t, r)
			if r.Metrics["missing_gaps"] != 1 { // the one that begins in February
				t.Errorf("metrics %v", r.Metrics)
			}
		}),
		with(on("Parquet", "raw.json", sample, `format = "parquet"`), func(t *testing.T, r stagetest.Result) {
			if r.Main != "canonical.parquet" || r.Rows != 3 {
				t.Errorf("got %+v", r.Info)
			}
		}),

		fails(on("empty", "raw.json", "[]", ""), "", "raw.json holds no rows, so there are no bars"),
		fails(on("nothing in the period", "raw.json", sample, `period = "2024"`), "", "no bar lies in 2024: the source goes from 2025-01-07T00:00:00Z to 2025-01-07T02:00:00Z"),
		fails(on("no valid bar", "raw.csv", "timestamp,open,high,low,close\n2025-01-07,0,0,0,0\n", ""), "", "no row is a valid bar: look at columns and scale"),
		fails(on("no close", "raw.csv", "timestamp,open,high,low,clse\n2025-01-07,1,1,1,1\n", ""), "columns", `the column close is missing (raw.csv has no column "close": did you mean "clse"?): say what it is called, as in columns = { close = "…" }`),
		fails(on("no such source column", "raw.json", sample, `columns = { volume = "volum" }`), `columns["volume"]`, `raw.json has no column "volum": did you mean "volume"?`),
		fails(on("text as a price", "raw.csv", "timestamp,open,high,low,close\n2025-01-07,1,1,1,x\n", ""), "", "raw.csv: a price or another number is none: Could not convert string 'x' to DOUBLE"),
		fails(on("off the grid", "raw.csv", bars("2025-01-07 00:00", "2025-01-07 01:30"), ""), "", "1 stamps are not a whole number of 1h from the first bar (2025-01-07T00:00:00Z), the first of them 2025-01-07T01:30:00Z"),
		fails(on("another timeframe", "raw.csv", fourHourly(), ""), "", "most bars are 4h apart, and the timeframe is 1h"),
		fails(on("no timeframe", "raw.json", sample, `timeframe = "hourly"`), "timeframe", `"hourly" is no timeframe`),
		fails(on("odd timeframe", "raw.json", sample, `timeframe = "7h"`), "timeframe", "bars of 7h do not divide a day"),
		fails(on("no zone", "raw.json", sample, `zone = "Mars/Base"`), "zone", `"Mars/Base" is no time zone`),
		fails(on("no period", "raw.json", sample, `period = "Jan"`), "period", `"Jan" is no period`),
		fails(on("no scale", "raw.json", sample, `scale = 0`), "scale", "scale must be above 0, and is 0"),
		fails(on("fraction of a bar", "raw.json", sample, `max_gap_bars = 1.5`), "max_gap_bars", "whole number"),
		fails(on("no column name", "raw.json", sample, `columns = { "a b" = "z" }`), `columns["a b"]`, "cannot name a canonical column"),
		fails(on("own column name", "raw.json", sample, `columns = { filled = "z" }`), `columns["filled"]`, `the column "filled" is made by this stage`),
		fails(on("one column twice", "raw.json", sample, `columns = { a = "z", b = "z" }`), `columns["b"]`, `a and b are both taken from "z"`),
		fails(on("no holiday", "raw.json", sample, `holidays = ["Easter"]`), "holidays[0]", `"Easter" is no day`),
	)
}

func fourHourly() string {
	var stamps []string
	for i := range 12 {
		stamps = append(stamps, time.Date(2025, 1, 6, 4*i, 0, 0, 0, time.UTC).Format(time.DateTime))
	}
	return bars(stamps...)
}

// walk makes bars on weekdays with seeded normal changes of about 0.1%.
func walk(n int, seed uint64) []row {
	rng := rand.New(rand.NewPCG(seed, 1))
	price := 1.2
	var rows []row
	for at := time.Date(2024, 1, 8, 0, 0, 0, 0, time.UTC).Unix(); len(rows) < n; at += 3600 {
		if !weekday(at) {
			continue
		}
		c := price * (1 + 0.001*rng.NormFloat64())
		rows = append(rows, row{at: at, values: []float64{price, max(price, c) * 1.0002, min(price, c) * 0.9998, c}})
		price = c
	}
	return rows
}

func csvOf(rows []row, order []int) string {
	var b strings.Builder
	b.WriteString("timestamp,open,high,low,close\n")
	for _, i := range order {
		v := rows[i].values
		fmt.Fprintf(&b, "%s,%.6f,%.6f,%.6f,%.6f\n", time.Unix(rows[i].at, 0).UTC().Format(time.DateTime), v[0], v[1], v[2], v[3])
	}
	return b.String()
}

// What a source may vary without meaning anything must leave no trace.
func TestNoTraceOfOrderAndRepetition(t *testing.T) {
	rows := walk(500, 3)
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	outputs := map[string]string{}
	check := func(t *testing.T, r stagetest.Result) {
		for _, f := range r.Files {
			if old, ok := outputs[f]; ok && old != r.File(t, f) {
				t.Errorf("%s has changed", f)
			}
			outputs[f] = r.File(t, f)
		}
	}
	shuffled := append(slices.Clone(order), order[:100]...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	config := "calendar = \"weekdays\"\ndecimals = 5"
	stagetest.Run(t, Type(),
		with(on("as it is", "a.csv", csvOf(rows, order), config), check),
		with(on("shuffled and repeated", "b.csv", csvOf(rows, shuffled), config), check),
		with(on("quoted", "c.csv", quote(csvOf(rows, order)), config), check),
	)
	if len(outputs) != 2 {
		t.Errorf("%d files", len(outputs))
	}
}

// quote puts every field of a CSV text in quotation marks.
func quote(text string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), ",", `","`), "\n", "\"\r\n\"") + "\"\r\n"
}
