package input

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

// file is one file that an input reads.
type file struct {
	path   string // absolute
	shown  string // as the user knows it: relative to the working directory if it lies there
	name   string // base name in the artifact, with an ending that says the format
	format duck.Format
}

// files returns what the patterns match, sorted by path, each once. None is an error, and so are files of several formats.
func (r *runner) files(env stage.Env) ([]file, error) {
	byPath := map[string]file{}
	for _, p := range r.patterns {
		matches, err := match(env, p)
		if err != nil {
			return nil, &stage.AttrError{Path: cty.GetAttrPath("path"), Err: err}
		}
		for _, m := range matches {
			f, err := r.file(env, m)
			if err != nil {
				return nil, &stage.AttrError{Path: cty.GetAttrPath("path"), Err: err}
			}
			byPath[f.path] = f
		}
	}
	list := make([]file, 0, len(byPath))
	for _, f := range byPath {
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].shown < list[j].shown })
	for _, f := range list[1:] {
		if f.format != list[0].format || packed(f.path) != packed(list[0].path) {
			return nil, stage.Attrf("path", "%s and %s have different formats: give each its own input block, or set format",
				list[0].shown, f.shown)
		}
	}
	return list, nil
}

// match expands one path or pattern.
func match(env stage.Env, pattern string) ([]string, error) {
	abs, err := env.Path(pattern)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs) // a file may have an asterisk in its name
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory: name the files in it, as in %q", pattern, path.Join(filepath.ToSlash(pattern), "*.csv"))
	case err == nil:
		return []string{abs}, nil
	case !strings.ContainsAny(pattern, "*?["):
		return nil, fmt.Errorf("there is no file %s%s. Relative paths start at the working directory", pattern, similar(abs))
	}
	matches, err := glob(abs)
	if err != nil {
		return nil, fmt.Errorf("%q is no pattern: %w", pattern, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("no file matches %q. Relative paths start at the working directory", pattern)
	}
	for _, m := range matches {
		if _, err := env.Path(m); err != nil { // a symbolic link may lead out
			return nil, err
		}
	}
	return matches, nil
}

// similar ends a sentence about a file that is not there with the one that may be meant.
func similar(abs string) string {
	entries, err := os.ReadDir(filepath.Dir(abs))
	if err != nil {
		return ""
	}
	name := filepath.Base(abs)
	best, dist := "", len(name)/3+1
	for _, e := range entries {
		if d := levenshtein.Distance(name, e.Name(), nil); d < dist {
			best, dist = e.Name(), d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// glob is filepath.Glob for regular files, with ** for any number of directories.
func glob(pattern string) ([]string, error) {
	before, after, deep := strings.Cut(filepath.ToSlash(pattern), "**/")
	if !deep {
		matches, err := filepath.Glob(pattern)
		return regular(matches), err
	}
	if _, err := path.Match(after, ""); err != nil {
		return nil, err
	}
	roots, err := filepath.Glob(strings.TrimSuffix(before, "/"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			below, err := glob(filepath.Join(escaped(p), after))
			found = append(found, below...)
			return err
		})
		if err != nil {
			return nil, withoutPath(err)
		}
	}
	return found, nil
}

func escaped(p string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(p)
}

func regular(paths []string) []string {
	var files []string
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			files = append(files, p)
		}
	}
	return files
}

// file finds the format of a file and its name in the artifact.
func (r *runner) file(env stage.Env, abs string) (file, error) {
	f := file{path: abs, shown: abs, name: filepath.Base(abs), format: r.format}
	if rel, err := filepath.Rel(env.WorkDir, abs); err == nil && filepath.IsLocal(rel) {
		f.shown = filepath.ToSlash(rel)
	}
	known := duck.FormatOf(abs)
	if f.format == "" {
		f.format = known
	}
	switch {
	case f.format == "":
		return f, fmt.Errorf("%s does not say its format by its ending: set format to one of json, ndjson, csv, parquet", f.shown)
	case f.format == duck.Parquet && packed(abs):
		return f, fmt.Errorf("%s: Parquet files are compressed inside and cannot be read when packed with gzip: unpack it", f.shown)
	case known != f.format:
		f.name += "." + string(f.format)
		if packed(abs) {
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

// withoutPath takes the absolute path out of an error of the file system.
func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
