package artifacttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// testWriters has many writers commit equal and overlapping content at once.
func testWriters(t *testing.T, b Backend) {
	_, location := b.open(t)
	const writers, rounds = 8, 6
	ids := make([][]digest.Digest, writers)
	var wg sync.WaitGroup
	for w := range writers {
		dirs := t.TempDir()
		s := b.reopen(t, location)
		wg.Go(func() {
			for i := range rounds {
				dir := filepath.Join(dirs, fmt.Sprint(i))
				files := map[string]string{"same": "same", "i": fmt.Sprint(i), "sub/i": strings.Repeat("x", i*1000)}
				if err := writeFiles(dir, files); err != nil {
					t.Error(err)
					return
				}
				a, err := s.Commit(t.Context(), dir, artifact.Info{Main: "i"})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Remember(t.Context(), digest.JSON(i), a.Digest()); err != nil {
					t.Error(err)
				}
				ids[w] = append(ids[w], a.Digest())
			}
		})
	}
	wg.Wait()
	s := b.reopen(t, location)
	for i := range rounds {
		a, err := s.Lookup(t.Context(), digest.JSON(i))
		if err != nil {
			t.Fatal(err)
		}
		for w := range writers {
			if ids[w][i] != a.Digest() {
				t.Errorf("writer %d stored %s, another %s", w, ids[w][i], a.Digest())
			}
		}
		if got := content(t, s, a)["i"]; got != fmt.Sprint(i) {
			t.Errorf("content %q", got)
		}
	}
	wantWhole(t, s)
}

func wantWhole(t *testing.T, s artifact.Store) {
	t.Helper()
	k, ok := s.(artifact.Keeper)
	if !ok {
		return
	}
	if r, err := k.Verify(t.Context()); err != nil || len(r.Problems) > 0 {
		t.Errorf("the store is damaged: %v, %v", r.Problems, err)
	}
}

func testSweep(t *testing.T, b Backend) {
	s, _ := b.open(t)
	k, ok := s.(artifact.Keeper)
	if !ok {
		t.Skip("the store has no upkeep")
	}
	keep := commit(t, s, map[string]string{"shared": "shared", "kept": "kept"}, artifact.Info{})
	drop := commit(t, s, map[string]string{"shared": "shared", "dropped": "to be dropped"}, artifact.Info{})
	for i, a := range []*artifact.Artifact{keep, drop} {
		if err := s.Remember(t.Context(), digest.JSON(i), a.Digest()); err != nil {
			t.Fatal(err)
		}
	}
	live := map[digest.Digest]struct{}{keep.Digest(): {}, digest.Bytes([]byte("elsewhere")): {}}
	want := artifact.SweepReport{Artifacts: 1, Files: 1, Fingerprints: 1, Bytes: 13, KeptArtifacts: 1, KeptBytes: 10,
		Removed: []digest.Digest{drop.Digest()}}
	for _, mode := range []artifact.SweepMode{artifact.Preview, artifact.Preview, artifact.Remove} {
		got, err := k.Sweep(t.Context(), live, mode)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mode %v: %s", mode, diff)
		}
	}
	_, err := s.Get(t.Context(), drop.Digest())
	wantNotFound(t, "Get of what was swept", err)
	_, err = s.Lookup(t.Context(), digest.JSON(1))
	wantNotFound(t, "Lookup of what was swept", err)
	if got, err := s.Lookup(t.Context(), digest.JSON(0)); err != nil || content(t, s, got)["shared"] != "shared" {
		t.Errorf("what is live was damaged: %v", err)
	}
	wantWhole(t, s)
	want = artifact.SweepReport{KeptArtifacts: 1, KeptBytes: 10}
	if got, err := k.Sweep(t.Context(), live, artifact.Remove); err != nil || !cmp.Equal(got, want) {
		t.Errorf("second sweep: %+v, %v", got, err)
	}
}

// testSweepWhileWriting sweeps everything while others store: whatever is left is whole, and nothing fails.
func testSweepWhileWriting(t *testing.T, b Backend) {
	_, location := b.open(t)
	k, ok := b.reopen(t, location).(artifact.Keeper)
	if !ok {
		t.Skip("the store has no upkeep")
	}
	var wg sync.WaitGroup
	for range 3 {
		dirs, s := t.TempDir(), b.reopen(t, location)
		wg.Go(func() {
			for i := range 15 {
				dir := filepath.Join(dirs, fmt.Sprint(i))
				if err := writeFiles(dir, map[string]string{"same": "same", "i": fmt.Sprint(i % 3)}); err != nil {
					t.Error(err)
				}
				if _, err := s.Commit(t.Context(), dir, artifact.Info{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		if _, err := k.Sweep(t.Context(), nil, artifact.Remove); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	wg.Wait()
	wantWhole(t, b.reopen(t, location))
}

// testKill kills a process with SIGKILL at random moments of its commits. What it said it stored must be whole, nothing
// partly written may be seen, and the next process must be able to store the same.
func testKill(t *testing.T, b Backend) {
	_, location := b.open(t)
	dirs := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	told := 0
	for round := range 8 {
		out := killChild(t, job{Location: location, Dir: filepath.Join(dirs, fmt.Sprint(round)), Seed: round % 3},
			time.Duration(20+random.IntN(60))*time.Millisecond)
		s := b.reopen(t, location)
		wantWhole(t, s)
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			var i int
			var id digest.Digest
			if n, _ := fmt.Sscan(lines.Text(), &i, &id); n != 2 {
				t.Fatalf("child wrote %q", lines.Text())
			}
			told++
			a, err := s.Lookup(t.Context(), digest.JSON([]int{round % 3, i}))
			if err != nil || a.Digest() != id {
				t.Fatalf("artifact %d, of which the child said that it was stored: %v, %v", i, a, err)
			}
		}
		files, info := sample(round%3, 0)
		a := commit(t, s, files, info)
		if diff := cmp.Diff(files, content(t, s, a)); diff != "" {
			t.Fatal("content differs after a kill")
		}
	}
	if told == 0 {
		t.Error("no child came as far as storing one artifact")
	}
}

// killChild starts a child, waits for its first line and then for after, kills it, and returns what it wrote.
func killChild(t *testing.T, j job, after time.Duration) []byte {
	t.Helper()
	spec, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	r := bufio.NewReader(stdout)
	first, err := r.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the child ended before its first artifact: %v", err)
	}
	time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	var rest bytes.Buffer
	_, _ = rest.ReadFrom(r)
	_ = cmd.Wait()
	out := append(first, rest.Bytes()...)
	return out[:bytes.LastIndexByte(out, '\n')+1]
}
