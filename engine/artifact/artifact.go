package artifact

import (
	"errors"
	"fmt"
	"sort"

	"pipe/engine/digest"
)

// ErrNotFound says that the store does not hold what was asked for, or no longer holds it whole.
var ErrNotFound = errors.New("not in the store")

// CorruptError says that stored content no longer has the digest under which it was stored.
type CorruptError struct {
	Want, Got digest.Digest
	Path      string // where the content lies, for the operator
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s holds %s but was stored as %s: it was changed or damaged on disk", e.Path, e.Got, e.Want)
}

// File is one file of an artifact. Path is relative, slash-separated and clean.
type File struct {
	Path   string        `json:"path"`
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"` // bytes
}

// Info is what a runner says of its output besides the files. It is a function of their content, so that it may be
// part of the artifact's identity.
type Info struct {
	Main    string             `json:"main,omitempty"`    // the file that holds the table, "" if there is none
	Rows    int64              `json:"rows,omitempty"`    // rows of the table
	Metrics map[string]float64 `json:"metrics,omitempty"` // finite numbers only
	Facts   map[string]string  `json:"facts,omitempty"`   // such as model_version
}

// Artifact is the manifest of what one node produced: files sorted by path, and what the runner said of them.
type Artifact struct {
	Files []File `json:"files"`
	Info
}

// Digest names the artifact: the SHA-256 of its canonical manifest, which holds the SHA-256 of every file.
func (a *Artifact) Digest() digest.Digest { return digest.JSON(a) }

// Bytes returns the size of all files together.
func (a *Artifact) Bytes() int64 {
	var n int64
	for _, f := range a.Files {
		n += f.Size
	}
	return n
}

// File returns the file at path.
func (a *Artifact) File(path string) (File, bool) {
	i := sort.Search(len(a.Files), func(i int) bool { return a.Files[i].Path >= path })
	if i < len(a.Files) && a.Files[i].Path == path {
		return a.Files[i], true
	}
	return File{}, false
}
