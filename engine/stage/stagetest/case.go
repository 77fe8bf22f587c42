package stagetest

import (
	"os"
	"path/filepath"
	"sort"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// Case is one configuration of a type and what comes of it. Without WantErr it must succeed.
type Case struct {
	Name      string
	Config    string              // body of the block; stage.x, input.x and secret("X") may stand in it
	Upstreams map[string]Upstream // by address, such as stage.bars or stage.bars["2025-01"]
	WorkFiles map[string]string   // content by path, in the working directory
	Getenv    map[string]string   // variables; those that the configuration names as secrets must not be found in any output

	WantErr  string // must stand in the error of decoding, observing or running
	WantAttr string // attribute that the error must be about, such as "columns" or "csv.delimiter"

	Check func(t *testing.T, r Result) // what else must hold of the output
	World func(env *stage.Env)         // optional: gives the runner more of the world, such as a journal
}

// Upstream is an artifact that a case reads.
type Upstream struct {
	Files map[string]string // content by path
	artifact.Info
}

// Table returns an artifact of one file that is its table.
func Table(name, content string, rows int64) Upstream {
	return Upstream{Files: map[string]string{name: content}, Info: artifact.Info{Main: name, Rows: rows}}
}

// Artifact returns the manifest.
func (u Upstream) Artifact() *artifact.Artifact {
	a := &artifact.Artifact{Info: u.Info}
	for name, content := range u.Files {
		a.Files = append(a.Files, artifact.File{Path: name, Digest: digest.Bytes([]byte(content)), Size: int64(len(content))})
	}
	sort.Slice(a.Files, func(i, j int) bool { return a.Files[i].Path < a.Files[j].Path })
	return a
}

// Result is what one run left.
type Result struct {
	artifact.Info
	Dir      string   // of the output
	Files    []string // sorted
	Upstream stage.Inputs
}

// File returns the content of an output file.
func (r Result) File(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("the output has no file %s: it has %v", name, r.Files)
	}
	return string(b)
}

// AsUpstream returns the result as an upstream of another type's case.
func (r Result) AsUpstream(t *testing.T) Upstream {
	t.Helper()
	u := Upstream{Files: map[string]string{}, Info: r.Info}
	for _, f := range r.Files {
		u.Files[f] = r.File(t, f)
	}
	return u
}
