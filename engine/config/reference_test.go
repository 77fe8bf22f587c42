package config

import (
	"slices"
	"strings"
	"testing"

	"pipe/engine/addr"
)

// TestReferenceNamesWhatTheLoaderAccepts compares the described meta-arguments with those that the loader knows.
func TestReferenceNamesWhatTheLoaderAccepts(t *testing.T) {
	for _, b := range Blocks() {
		var described []string
		for _, a := range b.Attrs {
			if a.Doc == "" || a.Type == "" {
				t.Errorf("%s.%s is not described", b.Name, a.Name)
			}
			described = append(described, a.Name)
		}
		slices.Sort(described)
		switch kind := addr.Kind(b.Name); kind {
		case addr.Input, addr.Stage, addr.Publish, addr.Notify:
			want, _ := metaArguments(kind)
			slices.Sort(want)
			if !slices.Equal(described, want) {
				t.Errorf("%s is described with %v and accepts %v", b.Name, described, want)
			}
		}
		if b.In == "" && !slices.Contains(blockTypes(), b.Name) {
			t.Errorf("%s is no block of the top level", b.Name)
		}
	}
	for _, name := range blockTypes() {
		if !slices.ContainsFunc(Blocks(), func(b BlockDoc) bool { return b.Name == name && b.In == "" }) {
			t.Errorf("%s is not described", name)
		}
	}
}

// TestReferenceNamesAllAttributes gives each block an attribute that it does not have; the loader lists what it has.
func TestReferenceNamesAllAttributes(t *testing.T) {
	for name, src := range map[string]string{
		"pipe": `pipe { zzzzzzzz = 1 }`, "state": "pipe {\n state \"file\" { zzzzzzzz = 1 }\n}", "store": "pipe {\n store \"file\" { zzzzzzzz = 1 }\n}",
		"executor": "pipe {\n executor \"local\" { zzzzzzzz = 1 }\n}", "variable": `variable "v" { zzzzzzzz = 1 }`,
		"approval": "pipe {\n approval { zzzzzzzz = 1 }\n}", "validation": "variable \"v\" {\n default = 1\n validation { zzzzzzzz = 1 }\n}", "output": `output "o" { zzzzzzzz = 1 }`,
	} {
		listed := listedAttributes(t, src)
		for _, b := range Blocks() {
			if b.Name != name {
				continue
			}
			for _, a := range b.Attrs {
				if !slices.Contains(listed, a.Name) {
					t.Errorf("%s: %s is described and not accepted (%v)", name, a.Name, listed)
				}
				listed = slices.DeleteFunc(listed, func(s string) bool { return s == a.Name })
			}
		}
		listed = slices.DeleteFunc(listed, func(s string) bool { return s == "state" || s == "store" || s == "executor" || s == "approval" })
		if len(listed) > 0 {
			t.Errorf("%s: accepted and not described: %v", name, listed)
		}
	}
}

func listedAttributes(t *testing.T, src string) []string {
	t.Helper()
	l := newLoader(LoadOptions{WorkDir: t.TempDir()})
	l.planDir = l.opts.WorkDir
	path := l.opts.WorkDir + "/p.hcl"
	writeFile(t, path, src)
	l.opts.Path = path
	l.load()
	for _, d := range l.diags {
		if _, rest, ok := strings.Cut(d.Detail, "It may have "); ok {
			return strings.Split(strings.TrimSuffix(rest, "."), ", ")
		}
	}
	t.Fatalf("%s: no list of attributes in %v", src, l.diags)
	return nil
}
