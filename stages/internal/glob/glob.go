package glob

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

	"pipe/engine/stage"
)

// File is one file.
type File struct {
	Path  string // absolute
	Shown string // as the user knows it: relative to the working directory, with slashes, if it lies there
}

// Files returns what paths and patterns (*, ?, [a-z], ** for any number of directories) match, sorted, each once. A path or
// pattern that matches nothing is an error, and so is one that leads out of what the plan file may touch.
func Files(env stage.Env, patterns []string) ([]File, error) {
	byPath := map[string]File{}
	for _, p := range patterns {
		matches, err := match(env, p)
		if err != nil {
			return nil, err
		}
		for _, m := range matches {
			byPath[m] = File{Path: m, Shown: shown(env, m)}
		}
	}
	list := make([]File, 0, len(byPath))
	for _, f := range byPath {
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Shown < list[j].Shown })
	return list, nil
}

func shown(env stage.Env, abs string) string {
	if rel, err := filepath.Rel(env.WorkDir, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return abs
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
	matches, err := expand(abs)
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

// expand is filepath.Glob for regular files, with ** for any number of directories.
func expand(pattern string) ([]string, error) {
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
			below, err := expand(filepath.Join(escaped(p), after))
			found = append(found, below...)
			return err
		})
		if err != nil {
			return nil, Plain(err)
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

// Plain takes the path, which may be absolute, out of an error of the file system.
func Plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
