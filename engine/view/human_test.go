package view

import (
	"math"
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567",
		-1: "-1", -1000: "-1,000", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9995: "10.0 kB", 99949: "99.9 kB",
		99950: "100 kB", 999499: "999 kB", 999500: "1.00 MB", 1250000: "1.25 MB", 45_600_000_000: "45.6 GB",
		math.MaxInt64: "9.22 EB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "<1 ms"}, {999 * time.Microsecond, "<1 ms"}, {time.Millisecond, "1 ms"}, {15 * time.Millisecond, "15 ms"},
		{999400 * time.Microsecond, "999 ms"}, {999500 * time.Microsecond, "1.0 s"}, {4120 * time.Millisecond, "4.1 s"},
		{9949 * time.Millisecond, "9.9 s"}, {9950 * time.Millisecond, "10 s"}, {59400 * time.Millisecond, "59 s"},
		{59500 * time.Millisecond, "1 min 0 s"}, {125 * time.Second, "2 min 5 s"}, {time.Hour - time.Second, "59 min 59 s"},
		{time.Hour - time.Millisecond, "1 h 0 min"}, {200 * time.Minute, "3 h 20 min"}, {-2 * time.Second, "-2.0 s"},
	} {
		if got := Duration(c.d); got != c.want {
			t.Errorf("Duration(%v) = %q, want %q", c.d, got, c.want)
		}
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"the state is locked":    "The state is locked.",
		"stage.a is no node":     "stage.a is no node.",
		"--out x: no such file":  "--out x: no such file.",
		"PIPE_LOG=x: no level":   "PIPE_LOG=x: no level.",
		"what now?":              "What now?",
		"two lines\nof text":     "Two lines\nof text",
		`"x" is no address`:      `"x" is no address.`,
		"éclair is out of stock": "Éclair is out of stock.",
	} {
		if got := Sentence(in); got != want {
			t.Errorf("Sentence(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintableKeepsTerminalsSafe(t *testing.T) {
	if got := printable("a\x1b[31mred\a\tb\u2028c"); got != "a·[31mred··b·c" {
		t.Errorf("got %q", got)
	}
}
