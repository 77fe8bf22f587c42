package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestSampleIsWhatTheGeneratorMakes generates the sample again and compares it with what is shipped.
func TestSampleIsWhatTheGeneratorMakes(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"EURUSD_1h.csv", "USDJPY_1h.csv"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "data", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("samples/data/%s differs: run go run ./samples/generate", name)
		}
	}
}
