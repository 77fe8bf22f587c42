package canonical

import (
	"bufio"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
)

const realConfig = `
columns  = { timestamp = "Date", volume = "tick_volume" }
scale    = 100000
decimals = 5
zone     = "America/New_York+07:00"
format   = "parquet"
`

// realFile returns one of the files of real bars, or skips the test.
func realFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("PIPE_REAL_DATA")
	if dir == "" {
		root, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(filepath.Dir(root), "shared", "data", "fx")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real bars: %s is not there; set PIPE_REAL_DATA to the directory that holds it", name)
	}
	return path
}

func runReal(t testing.TB, path, config string) (*stage.Output, *meta) {
	t.Helper()
	v, err := stagetest.Decode(Type(), "source = input.raw"+config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Type().Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	u := stagetest.Table(filepath.Base(path), "", 0)
	in := stage.Inputs{{Label: "source", Artifact: u.Artifact(), Dir: filepath.Dir(path)}}
	out := &stage.Output{Dir: t.TempDir()}
	if err := r.Run(context.Background(), stage.Env{Scratch: t.TempDir()}, in, out); err != nil {
		t.Fatal(err)
	}
	info := out.Info()
	return out, &meta{BarsWritten: int(info.Metrics["bars_written"]), FilledBars: int(info.Metrics["filled_bars"]),
		MissingGaps: int(info.Metrics["missing_gaps"]), OutlierBars: int(info.Metrics["outlier_bars"]),
		SpikeFlags: int(info.Metrics["spike_flags"]), OffSessionBars: int(info.Metrics["off_session_bars"]),
		InvalidBars: int(info.Metrics["invalid_bars"])}
}

// wallStamps reads the stamps of a file as text.
func wallStamps(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for s := bufio.NewScanner(z); s.Scan(); {
		stamp, _, _ := strings.Cut(s.Text(), ",")
		list = append(list, stamp)
	}
	return list[1:]
}

// missingByHand counts what is to be filled, by the broker's clock and the text of stamps alone: its week is Monday 00:00 to
// Friday 23:00, and around Christmas and New Year its clock reads 7 hours more than New York's.
func missingByHand(t *testing.T, stamps []string) int {
	t.Helper()
	have := map[string]bool{}
	for _, s := range stamps {
		have[s] = true
	}
	first, err := time.Parse(time.DateTime, stamps[0])
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := first; ; at = at.Add(time.Hour) {
		s := at.Format(time.DateTime)
		if s == stamps[len(stamps)-1] {
			return n
		}
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday || have[s] {
			continue
		}
		switch day, hour := s[5:10], s[11:13]; {
		case (day == "12-24" || day == "12-31") && hour >= "18":
		case day == "12-25", day == "01-01", (day == "12-26" || day == "01-02") && hour < "09":
		default:
			n++
		}
	}
}

// By the broker's clock the week of nine years of bars begins and ends with New York's, every hole but weekends and
// holidays is short. The turns of these years (23 June 2016, 3 January 2019) are flagged and kept.
func TestRealBars(t *testing.T) {
	for _, name := range []string{"GBPUSD_h1.csv.gz", "AUDUSD_h1.csv.gz", "EURGBP_h1.csv.gz"} {
		t.Run(name, func(t *testing.T) {
			path := realFile(t, name)
			start := time.Now()
			out, m := runReal(t, path, realConfig)
			t.Logf("%s: %+v", time.Since(start), *m)
			filled := missingByHand(t, wallStamps(t, path))
			want := &meta{BarsWritten: 57600 + filled, FilledBars: filled, SpikeFlags: m.SpikeFlags, OffSessionBars: m.OffSessionBars}
			if d := cmp.Diff(want, m, cmp.AllowUnexported(gap{})); d != "" {
				t.Error(d)
			}
			if m.SpikeFlags == 0 || out.Info().Facts["quarantine"] != "false" {
				t.Errorf("%d spikes, %v", m.SpikeFlags, out.Info().Facts)
			}
		})
	}
}

// Read as UTC, the same stamps do not fit the week of the market, and that must not pass unseen.
func TestRealBarsInTheWrongZone(t *testing.T) {
	out, m := runReal(t, realFile(t, "GBPUSD_h1.csv.gz"), strings.Replace(realConfig, "America/New_York+07:00", "UTC", 1))
	if m.MissingGaps < 200 || m.OffSessionBars < 500 || out.Info().Facts["quarantine"] != "true" {
		t.Errorf("%+v, %v", *m, out.Info().Facts)
	}
}

func BenchmarkRealBars(b *testing.B) {
	path := realFile(b, "GBPUSD_h1.csv.gz")
	for _, format := range []string{"parquet", "json"} {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				runReal(b, path, strings.Replace(realConfig, "parquet", format, 1))
			}
		})
	}
}
