package durable_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipe/stages/internal/durable"
)

func TestRemoveEmptyStaysBelowItsRoots(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a/b/c")
	if err := durable.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := durable.RemoveEmpty(path, filepath.Join(root, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a directory outside of the roots was removed: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "a/keep"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.RemoveEmpty(path, root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "a/b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory stayed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "a/keep")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(root, "a/keep")); err != nil {
		t.Fatal(err)
	}
	if err := durable.RemoveEmpty(path, root); err != nil { // path is gone already
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("the root has %v, %v", entries, err)
	}
}

func TestCreateTakesNobodysPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := durable.Create(file, strings.NewReader("one"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(file, strings.NewReader("two"), 0o444); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the error is %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "one" {
		t.Errorf("the file holds %s", b)
	}
}

func TestLockExcludes(t *testing.T) {
	dir := t.TempDir()
	release, err := durable.Lock(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
	defer cancel()
	if _, err := durable.Lock(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holder got %v", err)
	}
	release()
	again, err := durable.Lock(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
