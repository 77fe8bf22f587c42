package period_test

import (
	"testing"
	"time"

	"pipe/engine/period"
)

func TestFind(t *testing.T) {
	for key, want := range map[string]string{
		"2025-01": "|2025-01|", "2025-01-31": "|2025-01-31|", "2025-W05": "|2025-W05|", "EURUSD/2025-01": "EURUSD/|2025-01|",
		"2025-01_x": "|2025-01|_x", "a-2025-01-b": "a-|2025-01|-b", "2025-13": "", "2025-02-30": "", "2025-W54": "", "2021-W53": "",
		"2020-W53": "|2020-W53|", "12025-01": "", "2025-011": "", "2025-01..2025-02": "", "EURUSD": "", "2025-1": "", "": "",
		"2025-01-3": "", "x2024-12": "x|2024-12|",
	} {
		p, ok := period.Find(key)
		got := ""
		if ok {
			got = p.Prefix + "|" + p.String() + "|" + p.Suffix
		}
		if got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
		if ok && p.Key(p.Period) != key {
			t.Errorf("%q comes back as %q", key, p.Key(p.Period))
		}
	}
}

// TestArithmetic holds the periods against the calendar of package time, day by day over 40 years.
func TestArithmetic(t *testing.T) {
	begin := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	units := map[period.Unit]func(time.Time) string{
		period.Day:   func(d time.Time) string { return d.Format("2006-01-02") },
		period.Month: func(d time.Time) string { return d.Format("2006-01") },
		period.Week: func(d time.Time) string {
			y, w := d.ISOWeek()
			return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006") + "-W" + string(rune('0'+w/10)) + string(rune('0'+w%10))
		},
	}
	for u, spell := range units {
		first, ok := period.Parse(u, spell(begin))
		if !ok {
			t.Fatalf("%s is no %s", spell(begin), u)
		}
		n, last := 0, spell(begin)
		for d := begin; d.Year() < 2039; d = d.AddDate(0, 0, 1) {
			if s := spell(d); s != last {
				n, last = n+1, s
			}
			p, ok := period.Parse(u, last)
			if !ok || first.Add(n) != p || p.Add(-n) != first || p.Since(first) != n || p.String() != last {
				t.Fatalf("%s is %d %ss after %s: %v, %v, %d", last, n, u, first, p, first.Add(n), p.Since(first))
			}
		}
	}
}

func TestKeys(t *testing.T) {
	months := func(prefix string, skip ...string) []string {
		var list []string
		for p, _ := period.Parse(period.Month, "2024-01"); p.String() <= "2026-10"; p = p.Add(1) {
			left := false
			for _, s := range skip {
				left = left || s == p.String()
			}
			if !left {
				list = append(list, prefix+p.String())
			}
		}
		return list
	}
	for _, c := range []struct {
		keys []string
		want string
	}{
		{months(""), "2024-01..2026-10"},
		{months("", "2024-03"), "2024-01..2026-10 except 2024-03"},
		{months("", "2024-01", "2024-05", "2024-07"), "2024-02..2026-10 except 2024-05, 2024-07"},
		{[]string{"2024-01", "2024-02", "2024-03", "2025-01", "2025-02", "2025-03"}, "2024-01..2024-03, 2025-01..2025-03"},
		{[]string{"2024-12", "2025-01"}, "2024-12, 2025-01"},
		{[]string{"2024-12"}, "2024-12"},
		{append(months("EURUSD/", "2024-03"), months("AUDUSD/", "2024-03")...), "{AUDUSD, EURUSD}/2024-01..2026-10 except 2024-03"},
		{append(months("EURUSD/", "2024-03"), months("AUDUSD/")...), "EURUSD/2024-01..2026-10 except 2024-03, AUDUSD/2024-01..2026-10"},
		{[]string{"b", "a"}, "a, b"},
		{[]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, "1, 2, 3, 4, 5, 6, 7 and 2 more"},
		{[]string{"2024-W52", "2025-W01", "2025-W02"}, "2024-W52..2025-W02"},
		{[]string{"2024-02-28", "2024-02-29", "2024-03-01"}, "2024-02-28..2024-03-01"},
	} {
		if got := period.Keys(c.keys); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("EURUSD/2025-01-31")
	f.Add("2025-W05x")
	f.Fuzz(func(t *testing.T, key string) {
		if p, ok := period.Find(key); ok && p.Key(p.Period) != key {
			t.Errorf("%q comes back as %q", key, p.Key(p.Period))
		}
		period.Keys([]string{key, key + "2024-01", "x"})
	})
}
