package artifacttest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Backend is a kind of store under test.
type Backend struct {
	// New returns the location of a new, empty store that lives as long as the test.
	New func(t *testing.T) string
	// Open opens the store at a location, also in another process.
	Open func(location string) (artifact.Store, error)
	// Damage changes the stored content of a file without changing its length.
	Damage func(t *testing.T, location string, content digest.Digest)
	// Lose removes the stored content of a file.
	Lose func(t *testing.T, location string, content digest.Digest)
}

const childEnv = "PIPE_ARTIFACTTEST_CHILD"

// job is what a child process is told.
type job struct {
	Location, Dir string
	Seed          int
}

// Main runs the tests, or the part of a child process, and returns the exit code.
func Main(m *testing.M, open func(location string) (artifact.Store, error)) int {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return m.Run()
	}
	var j job
	err := json.Unmarshal([]byte(spec), &j)
	if err == nil {
		err = j.commitForever(open)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// commitForever commits one artifact after the other and says so, until it is killed.
func (j job) commitForever(open func(string) (artifact.Store, error)) error {
	s, err := open(j.Location)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		dir := filepath.Join(j.Dir, strconv.Itoa(i))
		files, info := sample(j.Seed, i)
		if err := writeFiles(dir, files); err != nil {
			return err
		}
		a, err := s.Commit(context.Background(), dir, info)
		if err != nil {
			return err
		}
		if err := s.Remember(context.Background(), digest.JSON([]int{j.Seed, i}), a.Digest()); err != nil {
			return err
		}
		fmt.Println(i, a.Digest())
	}
}

// sample returns the content of the i-th artifact of a seed: some small files, one large, one shared by all.
func sample(seed, i int) (map[string]string, artifact.Info) {
	files := map[string]string{"shared.txt": "the same in all", "sub/large.bin": large(seed, i)}
	for k := range 6 {
		files[fmt.Sprintf("sub/part-%d.json", k)] = fmt.Sprintf(`{"seed":%d,"i":%d,"k":%d}`, seed, i, k)
	}
	return files, artifact.Info{Main: "sub/part-0.json", Rows: 1, Metrics: map[string]float64{"i": float64(i)}}
}

func large(seed, i int) string {
	b := make([]byte, 0, 1<<20)
	for n := 0; len(b) < 1<<20; n++ {
		b = fmt.Appendf(b, "%d/%d/%d\n", seed, i, n)
	}
	return string(b)
}

func writeFiles(dir string, files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
