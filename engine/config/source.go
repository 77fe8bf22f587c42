package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"pipe/engine/diag"
	"pipe/engine/digest"
)

const (
	planSuffix = ".hcl"
	testSuffix = ".pipetest.hcl"
)

// readSources finds, parses and sorts the plan files into l.top. It reports whether the phases after it make sense.
func (l *loader) readSources() bool {
	path := l.opts.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.opts.WorkDir, path)
	}
	files, ok := l.planFiles(filepath.Clean(path))
	if !ok {
		return false
	}
	for _, f := range files {
		body, ok := l.parseFile(f)
		if body != nil && ok {
			l.top.collect(l, body)
		}
	}
	return !l.diags.HasErrors() || l.top.any()
}

// planFiles lists the files of the plan in the order of their names, and sets planDir and the default name.
func (l *loader) planFiles(path string) ([]string, bool) {
	info, err := os.Stat(path)
	l.reads.add(readKind, path, kindOf(info, err))
	if err != nil {
		l.add(diag.Error("config.no_plan", nil, "No plan file",
			"%s cannot be read: %s. Give the path of a plan file, or of a directory with *.hcl files.",
			l.display(path), reason(err)))
		return nil, false
	}
	if !info.IsDir() {
		l.planDir = filepath.Dir(path)
		l.p.Name = cleanName(strings.TrimSuffix(filepath.Base(path), planSuffix))
		return []string{path}, true
	}
	l.planDir = path
	l.p.Name = cleanName(filepath.Base(path))
	files, ok := l.dirFiles(path)
	if ok && len(files) == 0 {
		l.add(diag.Error("config.no_plan", nil, "No plan file",
			"The directory %s has no *.hcl files. Write one, or run pipe init there.", l.display(path)))
		return nil, false
	}
	return files, ok
}

// dirFiles lists the plan files of a directory in the order of their names.
func (l *loader) dirFiles(path string) ([]string, bool) {
	names, err := planNames(path)
	l.reads.add(readPlans, path, digest.JSON(names))
	if err != nil {
		l.add(diag.Error("config.no_plan", nil, "No plan file", "%s cannot be read: %s.", l.display(path), reason(err)))
		return nil, false
	}
	var files []string
	for _, n := range names {
		files = append(files, filepath.Join(path, n))
	}
	return files, true
}

// planNames lists the names of the plan files of a directory, sorted.
func planNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries { // sorted by name
		if n := e.Name(); !e.IsDir() && strings.HasSuffix(n, planSuffix) && !strings.HasSuffix(n, testSuffix) &&
			!strings.HasPrefix(n, ".") {
			names = append(names, n)
		}
	}
	return names, err
}

// parseFile parses one file and keeps it among the sources.
func (l *loader) parseFile(path string) (*hclsyntax.Body, bool) {
	name := l.display(path)
	src, err := l.reads.file(path)
	if err != nil {
		l.add(diag.Error("config.no_plan", nil, "No plan file", "%s cannot be read: %s.", name, reason(err)))
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if file == nil {
		file = &hcl.File{Bytes: src}
	}
	l.p.Sources[name] = file
	for _, d := range diags {
		clamp(d, len(src))
	}
	l.add(diags...)
	body, _ := file.Body.(*hclsyntax.Body)
	if body != nil {
		wrapGroups(src, body)
	}
	return body, body != nil && !diags.HasErrors()
}

// clamp keeps the places of a parser's diagnostic inside the file.
func clamp(d *hcl.Diagnostic, size int) {
	for _, r := range []*hcl.Range{d.Subject, d.Context} {
		if r != nil {
			r.Start.Byte = min(max(r.Start.Byte, 0), size)
			r.End.Byte = min(max(r.End.Byte, r.Start.Byte), size)
		}
	}
}

// display spells a path for messages: relative to the working directory where it lies below it, so that messages are
// the same on every machine.
func (l *loader) display(path string) string {
	rel, err := filepath.Rel(l.opts.WorkDir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return filepath.ToSlash(rel)
}

// reason is the cause in a file system error, without the path.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "it does not exist"
	}
	return err.Error()
}

// cleanName makes a pipeline's name of the name of a file or directory.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
			return r
		}
		return '-'
	}, s)
	s = strings.Trim(s, ".-")
	if s == "" {
		return "pipeline"
	}
	return s
}
