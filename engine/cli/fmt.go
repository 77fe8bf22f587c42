package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/spf13/cobra"

	"pipe/engine/view"
)

type fmtFlags struct{ check, diff bool }

func (a *app) fmtCommand() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [PATH]",
		Short: "Rewrite plan files in the canonical format; - formats standard input",
		Args:  between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if first(args) == "-" {
				return a.formatStream()
			}
			return a.formatFiles(first(args), f)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "list the files that are not formatted, change nothing and exit with 1 if there are any")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show what changes")
	return cmd
}

func (a *app) formatStream() error {
	src, err := io.ReadAll(a.deps.Stdin)
	if err != nil {
		return err
	}
	out, err := a.formatted("standard input", src)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(out)
	return err
}

// formatFiles formats every file it can; one with mistakes is reported and left alone.
func (a *app) formatFiles(path string, f fmtFlags) error {
	files, err := a.planFiles(path)
	if err != nil {
		return err
	}
	failed, unformatted := false, false
	for _, name := range files {
		changed, err := a.formatFile(name, f)
		if _, said := err.(done); said {
			failed = true
			continue
		}
		if err != nil {
			return err
		}
		unformatted = unformatted || changed
	}
	if failed || (f.check && unformatted) {
		return done{ExitError}
	}
	return nil
}

// planFiles lists the plan files at a path, relative to the working directory where they lie below it.
func (a *app) planFiles(path string) ([]string, error) {
	if path == "" {
		path = "."
	}
	abs, err := a.path(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("there is no file or directory %s", path)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(abs), "*.hcl"))
	if err != nil {
		return nil, err
	}
	sort.Strings(found)
	files := make([]string, len(found))
	for i, f := range found {
		files[i] = filepath.Join(path, filepath.Base(f))
	}
	return files, nil
}

// escapeGlob makes a path match itself only.
func escapeGlob(path string) string {
	var b bytes.Buffer
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// formatFile formats one file and reports whether it was not formatted. Its name is printed then.
func (a *app) formatFile(name string, f fmtFlags) (changed bool, err error) {
	abs, err := a.path(name)
	if err != nil {
		return false, err
	}
	src, err := os.ReadFile(abs)
	if err != nil {
		return false, err
	}
	out, err := a.formatted(name, src)
	if err != nil || bytes.Equal(src, out) {
		return false, err
	}
	fmt.Fprintln(a.stdout, name)
	if f.diff {
		io.WriteString(a.stdout, view.UnifiedDiff(name, src, name, out))
	}
	if f.check {
		return true, nil
	}
	info, err := os.Stat(abs)
	if err != nil {
		return false, err
	}
	real, err := filepath.EvalSymlinks(abs) // the file behind a link is rewritten, the link stays
	if err != nil {
		return false, err
	}
	if err := writeFile(real, out, info.Mode().Perm()); err != nil {
		return true, fmt.Errorf("%s cannot be written: %w", name, err)
	}
	return true, nil
}

// formatted returns the canonical format of a source, or reports its mistakes.
func (a *app) formatted(name string, src []byte) ([]byte, error) {
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		if file == nil {
			file = &hcl.File{Bytes: src}
		}
		if a.json {
			view.NewJSONLines(a.stdout).Diagnostics(diags)
		} else {
			a.flush()
			view.Diagnostics(a.stderr, map[string]*hcl.File{name: file}, diags, a.styleOf(a.stderr))
		}
		return nil, done{ExitError}
	}
	return hclwrite.Format(src), nil
}
