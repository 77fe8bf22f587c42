package oracletest

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pipe/stages/features"
)

// Real reads the hourly bars of a symbol from the directory that PIPE_REAL_DATA names, else from shared/data/fx beside
// the checkout; it skips the test, and says so, where they are absent. Prices there are whole numbers of 1e-5.
func Real(t testing.TB, symbol string) features.Bars {
	t.Helper()
	file, err := os.Open(filepath.Join(realDir(), symbol+"_h1.csv.gz"))
	if err != nil {
		t.Skipf("skipped: the real bars are absent (%v); set PIPE_REAL_DATA to their directory", err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := csv.NewReader(zip)
	if _, err := rows.Read(); err != nil {
		t.Fatal(err)
	}
	b := features.Bars{Symbol: symbol}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return b
		}
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			t.Fatal(err)
		}
		b.Time = append(b.Time, at.Unix())
		for i, column := range []*[]float64{&b.Open, &b.High, &b.Low, &b.Close} {
			v, err := strconv.ParseFloat(row[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			*column = append(*column, math.Round(v)/1e5)
		}
	}
}

func realDir() string {
	if dir := os.Getenv("PIPE_REAL_DATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "data", "fx")
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return "shared/data/fx"
}
