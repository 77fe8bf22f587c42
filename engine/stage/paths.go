package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Path turns a path of a plan file into an absolute one and refuses it if it leads, also by symbolic links, out of the
// working directory and the roots that the plan file allows.
func (e Env) Path(p string) (string, error) {
	abs := p
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(e.WorkDir, abs)
	}
	abs = filepath.Clean(abs)
	real, err := resolveExisting(abs)
	if err != nil {
		return "", err
	}
	for _, root := range append([]string{e.WorkDir}, e.Roots...) {
		realRoot, err := resolveExisting(root)
		if err != nil {
			continue
		}
		if within(realRoot, real) {
			return abs, nil
		}
	}
	return "", fmt.Errorf("the path %q leads out of the working directory: add its directory to allow_paths in the pipe block if that is meant", p)
}

// resolveExisting follows symbolic links of the longest existing part of path.
func resolveExisting(path string) (string, error) {
	rest := ""
	for p := path; ; p = filepath.Dir(p) {
		real, err := filepath.EvalSymlinks(p)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !os.IsNotExist(err) {
			return "", err
		}
		if _, lerr := os.Lstat(p); lerr == nil {
			return "", fmt.Errorf("%s is a symbolic link to nowhere", p)
		}
		if p == filepath.Dir(p) {
			return path, nil
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}

func within(root, path string) bool {
	if root == path {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(root, string(filepath.Separator))+string(filepath.Separator))
}
