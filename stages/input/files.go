package input

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
	"pipe/stages/internal/glob"
)

// file is one file that an input reads.
type file struct {
	path   string // absolute
	shown  string // as the user knows it: relative to the working directory if it lies there
	name   string // base name in the artifact, with an ending that says the format
	format duck.Format
}

// files returns what the patterns match. Files of several formats are an error.
func (r *runner) files(env stage.Env) ([]file, error) {
	found, err := glob.Files(env, r.patterns)
	if err != nil {
		return nil, &stage.AttrError{Path: cty.GetAttrPath("path"), Err: err}
	}
	list := make([]file, 0, len(found))
	for _, g := range found {
		f, err := r.file(g)
		if err != nil {
			return nil, &stage.AttrError{Path: cty.GetAttrPath("path"), Err: err}
		}
		list = append(list, f)
	}
	for _, f := range list[1:] {
		if f.format != list[0].format || packed(f.path) != packed(list[0].path) {
			return nil, stage.Attrf("path", "%s and %s have different formats: give each its own input block, or set format",
				list[0].shown, f.shown)
		}
	}
	return list, nil
}

// file finds the format of a file and its name in the artifact.
func (r *runner) file(g glob.File) (file, error) {
	f := file{path: g.Path, shown: g.Shown, name: filepath.Base(g.Path), format: r.format}
	known := duck.FormatOf(g.Path)
	if f.format == "" {
		f.format = known
	}
	switch {
	case f.format == "":
		return f, fmt.Errorf("%s does not say its format by its ending: set format to one of json, ndjson, csv, parquet", f.shown)
	case f.format == duck.Parquet && packed(g.Path):
		return f, fmt.Errorf("%s: Parquet files are compressed inside and cannot be read when packed with gzip: unpack it", f.shown)
	case known != f.format:
		f.name += "." + string(f.format)
		if packed(g.Path) {
			f.name += ".gz"
		}
	}
	return f, nil
}

func packed(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".gz") }

// shown names the files in a sentence.
func shown(files []file) string {
	if len(files) == 1 {
		return files[0].shown
	}
	return fmt.Sprintf("one of the %d files from %s to %s", len(files), files[0].shown, files[len(files)-1].shown)
}
