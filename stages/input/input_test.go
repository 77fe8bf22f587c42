package input

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
	"pipe/stages/internal/duck"
)

func TestType(t *testing.T) {
	whole := parquet(t)
	stagetest.Run(t, Type(),
		stagetest.Case{
			Name: "one JSON file stays as it is", Config: `path = "data/bars.json"`,
			WorkFiles: map[string]string{"data/bars.json": `[{"a": 1}, {"a": 2}]`},
			Check: func(t *testing.T, r stagetest.Result) {
				if r.Main != "bars.json" || r.Rows != 2 || r.File(t, "bars.json") != `[{"a": 1}, {"a": 2}]` {
					t.Errorf("got %+v", r)
				}
			},
		},
		stagetest.Case{
			Name: "an ending that says nothing is completed", Config: "path = \"feed.txt\"\nformat = \"ndjson\"",
			WorkFiles: map[string]string{"feed.txt": "{\"a\": 1}\n"},
			Check:     files("feed.txt.ndjson"),
		},
		stagetest.Case{
			Name: "gzip", Config: `path = "x.csv.gz"`, WorkFiles: map[string]string{"x.csv.gz": packedText(t, "a\n1\n2\n3\n")},
			Check: func(t *testing.T, r stagetest.Result) {
				if r.Main != "x.csv.gz" || r.Rows != 3 {
					t.Errorf("got %+v", r)
				}
			},
		},
		stagetest.Case{
			Name: "Parquet", Config: `path = "x.parquet"`, WorkFiles: map[string]string{"x.parquet": whole}, Check: files("x.parquet"),
		},
		stagetest.Case{
			Name: "several files become one, by path, with the union of their columns", Config: `path = ["b*.csv", "a.csv", "deep/**/*.csv"]`,
			WorkFiles: map[string]string{"b1.csv": "k,x\n3,1.5\n", "a.csv": "k\n1\n2\n", "deep/er/c.csv": "k,y\n4,w\n", "deep/d.csv": "k\n5\n"},
			Check: func(t *testing.T, r stagetest.Result) {
				files("data.parquet")(t, r)
				if got := ints(t, r, "k"); !cmp.Equal(got, []int64{1, 2, 3, 5, 4}) || r.Rows != 5 { // deep/d.csv before deep/er/c.csv
					t.Errorf("got %v", got)
				}
			},
		},
		stagetest.Case{
			Name: "another dialect", Config: "path = \"x.csv\"\ncsv {\n delimiter = \";\"\n header = false\n null = [\"NA\"]\n}",
			WorkFiles: map[string]string{"x.csv": "1;x\n2;NA\n"},
			Check: func(t *testing.T, r stagetest.Result) {
				files("data.parquet")(t, r)
				if got := ints(t, r, "column0"); !cmp.Equal(got, []int64{1, 2}) {
					t.Errorf("got %v", got)
				}
				if got := ints(t, r, "(column1 IS NULL)::INT"); !cmp.Equal(got, []int64{0, 1}) {
					t.Errorf("got %v", got)
				}
			},
		},
		stagetest.Case{
			Name: "empty and allowed", Config: "path = \"x.json\"\nallow_empty = true", WorkFiles: map[string]string{"x.json": "[]"},
			Check: files("x.json"),
		},
		fails("no file", `path = "data/bar.json"`, "path",
			"there is no file data/bar.json (did you mean bars.json?). Relative paths start at the working directory", "data/bars.json", "[]"),
		fails("no match", `path = "data/*.csv"`, "path", `no file matches "data/*.csv". Relative paths start at the working directory`, "data/bars.json", "[]"),
		fails("directory", `path = "data"`, "path", `data is a directory: name the files in it, as in "data/*.csv"`, "data/x", ""),
		fails("outside", `path = "../x.csv"`, "path", "leads out of the working directory", "a", ""),
		fails("unknown ending", `path = "x.txt"`, "path", "x.txt does not say its format by its ending: set format to one of json, ndjson, csv, parquet", "x.txt", ""),
		fails("unknown format", "path = \"x\"\nformat = \"excel\"", "format", `"excel" is not allowed here: use one of json, ndjson, csv, parquet`, "x", ""),
		fails("path of a wrong type", `path = 3`, "path", "the path must be a string or a list of strings, and is number", "x", ""),
		fails("delimiter", "path = \"x.csv\"\ncsv { delimiter = \"||\" }", "csv.delimiter", "the delimiter must be one ASCII character", "x.csv", "a"),
		fails("dialect of JSON", "path = \"x.json\"\nformat = \"json\"\ncsv {}", "csv", `a csv block stands here, and the format is "json"`, "x.json", "[]"),
		fails("ragged", `path = "x.csv"`, "", `x.csv, line 3: the row has 3 fields, and the first line has 2`, "x.csv", "a,b\n1,2\n3,4,5\n"),
		fails("truncated Parquet", `path = "x.parquet"`, "", "x.parquet is no whole Parquet file", "x.parquet", whole[:len(whole)/2]),
		fails("object", `path = "x.json"`, "", "x.json holds no JSON array", "x.json", `{"a": 1}`),
		fails("cut off", `path = "x.json"`, "", "x.json is no valid JSON: unexpected end of data", "x.json", `[{"a": 1}, {"a"`),
		fails("no rows", `path = "x.json"`, "", "x.json holds no rows: set allow_empty = true if that is right", "x.json", `[]`),
		fails("header only", `path = "x.csv"`, "", "x.csv holds no rows: set allow_empty = true if that is right", "x.csv", "a,b\n"),
		stagetest.Case{Name: "mixed formats", Config: `path = "*"`, WorkFiles: map[string]string{"a.csv": "a\n1\n", "b.json": "[]"},
			WantErr: "a.csv and b.json have different formats", WantAttr: "path"},
	)
}

func fails(name, config, attr, want, file, content string) stagetest.Case {
	return stagetest.Case{Name: name, Config: config, WantAttr: attr, WantErr: want, WorkFiles: map[string]string{file: content}}
}

func files(want ...string) func(*testing.T, stagetest.Result) {
	return func(t *testing.T, r stagetest.Result) {
		t.Helper()
		if d := cmp.Diff(want, r.Files); d != "" || r.Main != want[0] {
			t.Errorf("main %s: %s", r.Main, d)
		}
	}
}

func ints(t *testing.T, r stagetest.Result, column string) []int64 {
	t.Helper()
	db := open(t)
	var list []int64
	if err := db.Fetch(t.Context(), []any{&list}, "SELECT "+column+" FROM "+duck.Scan(filepath.Join(r.Dir, r.Main))); err != nil {
		t.Fatal(err)
	}
	return list
}

func open(t *testing.T) *duck.DB {
	t.Helper()
	db, err := duck.Open(t.Context(), duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func parquet(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x.parquet")
	if _, err := open(t).WriteParquet(t.Context(), p, "SELECT range AS a FROM range(1000)"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func packedText(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The observation is what the node is keyed by: content in order, and nothing else.
func TestObservation(t *testing.T) {
	observe := func(config string, files map[string]string) digest.Digest {
		t.Helper()
		d, err := observed(t, config, t.TempDir(), files)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one := observe(`path = "a.csv"`, map[string]string{"a.csv": "x\n1\n"})
	if one != observe(`path = "*.csv"`, map[string]string{"b.csv": "x\n1\n"}) {
		t.Error("the name of the file is part of the observation")
	}
	if one == observe(`path = "a.csv"`, map[string]string{"a.csv": "x\n2\n"}) {
		t.Error("other content has the same observation")
	}
	two := observe(`path = ["b.csv", "a.csv", "a.csv"]`, map[string]string{"a.csv": "x\n1\n", "b.csv": "x\n2\n"})
	if two != observe(`path = "*.csv"`, map[string]string{"a.csv": "x\n1\n", "b.csv": "x\n2\n"}) {
		t.Error("the order of the patterns is part of the observation")
	}
	if two == observe(`path = "*.csv"`, map[string]string{"a.csv": "x\n2\n", "b.csv": "x\n1\n"}) {
		t.Error("the order of the files is not part of the observation")
	}
}

func observed(t *testing.T, config, work string, files map[string]string) (digest.Digest, error) {
	t.Helper()
	return decode(t, config).(stage.Observer).Observe(t.Context(), world(t, work, files))
}

func decode(t *testing.T, config string) stage.Runner {
	t.Helper()
	v, err := stagetest.Decode(Type(), config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Type().Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func world(t *testing.T, work string, files map[string]string) stage.Env {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return stage.Env{Log: hclog.NewNullLogger(), WorkDir: work, Scratch: t.TempDir()}
}

func TestChangedSincePlanned(t *testing.T) {
	work := t.TempDir()
	env := world(t, work, map[string]string{"a.csv": "x\n1\n"})
	r := decode(t, `path = "a.csv"`)
	seen, err := r.(stage.Observer).Observe(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	env = world(t, work, map[string]string{"a.csv": "x\n2\n"})
	env.Observed = seen
	err = r.Run(t.Context(), env, nil, &stage.Output{Dir: t.TempDir()})
	if !errors.Is(err, stage.ErrChanged) || err.Error() != "a.csv changed since it was planned: plan again to see what that means" {
		t.Error(err)
	}
}

// A symbolic link is followed, and must not lead out of what the plan file may touch.
func TestSymbolicLink(t *testing.T) {
	work, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.csv"), []byte("x\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.csv"), filepath.Join(work, "a.csv")); err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{`path = "a.csv"`, `path = "*.csv"`} {
		if _, err := observed(t, config, work, nil); err == nil {
			t.Errorf("%s was read through a link out of the working directory", config)
		}
	}
}
