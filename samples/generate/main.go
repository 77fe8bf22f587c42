package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	dir := flag.String("dir", filepath.Join("samples", "data"), "directory to write to")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	eurusd, usdjpy, err := sample().market()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name     string
		bars     []bar
		decimals int
	}{{"EURUSD_1h.csv", eurusd, 5}, {"USDJPY_1h.csv", usdjpy, 3}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), csv(f.bars, f.decimals), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func csv(bars []bar, decimals int) []byte {
	var b strings.Builder
	b.WriteString("timestamp,open,high,low,close,volume\n")
	for _, r := range bars {
		fmt.Fprintf(&b, "%s,%.*f,%.*f,%.*f,%.*f,%d\n", r.at.Format(time.RFC3339), decimals, r.open, decimals, r.high, decimals, r.low, decimals, r.close, r.volume)
	}
	return []byte(b.String())
}
