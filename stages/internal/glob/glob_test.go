package glob_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/glob"
)

func tree(t *testing.T, names ...string) stage.Env {
	t.Helper()
	work := t.TempDir()
	for _, n := range names {
		p := filepath.Join(work, n)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return stage.Env{WorkDir: work}
}

func TestFiles(t *testing.T) {
	env := tree(t, "a.csv", "b.csv", "x[1].csv", "[d]/e.csv", "[d]/f/g.csv", "d/h.txt", "star*.csv")
	for _, c := range []struct{ patterns, want []string }{
		{[]string{"b.csv", "a.csv", "b.csv"}, []string{"a.csv", "b.csv"}},
		{[]string{"?.csv"}, []string{"a.csv", "b.csv"}},
		{[]string{"x[1].csv"}, []string{"x[1].csv"}},
		{[]string{"star*.csv"}, []string{"star*.csv"}},
		{[]string{"**/*.csv"}, []string{"[d]/e.csv", "[d]/f/g.csv", "a.csv", "b.csv", "star*.csv", "x[1].csv"}},
		{[]string{"d/**/*.txt"}, []string{"d/h.txt"}},
		{[]string{filepath.Join(env.WorkDir, "a.csv")}, []string{"a.csv"}},
		{nil, []string{}},
	} {
		files, err := glob.Files(env, c.patterns)
		if err != nil {
			t.Errorf("%v: %v", c.patterns, err)
		}
		got := []string{}
		for _, f := range files {
			got = append(got, f.Shown)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v: %s", c.patterns, d)
		}
	}
	for pattern, want := range map[string]string{
		"c.csv":    "there is no file c.csv (did you mean a.csv?). Relative paths start at the working directory",
		"*.json":   `no file matches "*.json". Relative paths start at the working directory`,
		"**/*.xml": `no file matches "**/*.xml". Relative paths start at the working directory`,
		"[z":       `"[z" is no pattern: syntax error in pattern`,
		"d":        `d is a directory: name the files in it, as in "d/*.csv"`,
	} {
		if _, err := glob.Files(env, []string{pattern}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestCopy(t *testing.T) {
	env := tree(t, "a")
	src, dst := filepath.Join(env.WorkDir, "a"), filepath.Join(env.WorkDir, "new/dir/b")
	d, err := glob.Copy(t.Context(), src, dst, 0o755)
	if err != nil || d != digest.Bytes([]byte("a")) {
		t.Fatal(d, err)
	}
	b, err := os.ReadFile(dst)
	info, serr := os.Stat(dst)
	if err != nil || serr != nil || string(b) != "a" || info.Mode().Perm() != 0o755 {
		t.Errorf("%q, %v, %v, %v", b, info, err, serr)
	}
	if _, err := glob.Copy(t.Context(), src, dst, 0o644); err == nil {
		t.Error("a file was written over")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := glob.Digest(ctx, src); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := glob.Digest(t.Context(), src+"x"); err == nil || err.Error() != "no such file or directory" {
		t.Error(err)
	}
}
