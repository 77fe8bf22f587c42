package engine_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// levels is the architecture: a package of the engine imports only packages on lower levels. A directory that is not
// named has the level of its parent's stores (see level).
var levels = map[string]int{
	"addr": 0, "digest": 0, "diag": 0, "fault": 0, "period": 0,
	"artifact": 10, "artifact/filestore": 11, "artifact/artifacttest": 12,
	"audit": 20, "stage": 20, "stage/stagetest": 21,
	"check": 30, "approval": 30,
	"state": 31, "state/filestate": 32, "state/statetest": 33,
	"config": 40, "graph": 50, "plan": 60, "apply": 70,
	"settings": 45, "view": 80, ".": 90, "cli": 100,
}

// TestImportDirection fails on every import that points upwards, on engine packages that are missing from the table, and
// on engine packages that import anything else of the project.
func TestImportDirection(t *testing.T) {
	count := 0
	walkGo(t, ".", func(file string, imports []string) {
		dir := path.Dir(filepath.ToSlash(file))
		from, ok := levels[dir]
		if !ok {
			t.Errorf("%s: engine/%s is not in the table of levels", file, dir)
			return
		}
		for _, imp := range imports {
			rest, ours := strings.CutPrefix(imp, "pipe/")
			if !ours {
				continue
			}
			count++
			to, inEngine := strings.CutPrefix(rest, "engine/")
			if rest == "engine" {
				to, inEngine = ".", true
			}
			if !inEngine {
				t.Errorf("%s imports %s: the engine knows nothing outside engine/", file, imp)
				continue
			}
			level, known := levels[to]
			if !known || level >= from {
				t.Errorf("%s (level %d) imports %s (level %d)", file, from, imp, level)
			}
		}
	})
	if count < 20 {
		t.Fatalf("only %d imports were looked at: the test looks in the wrong place", count)
	}
}

// TestStagesKnowOnlyTheContract fails when a type of stage reaches past the contract into the machine.
func TestStagesKnowOnlyTheContract(t *testing.T) {
	allowed := map[string]bool{"pipe/engine/addr": true, "pipe/engine/artifact": true, "pipe/engine/digest": true,
		"pipe/engine/stage": true, "pipe/engine/check": true, "pipe/engine/diag": true}
	walkGo(t, "../stages", func(file string, imports []string) {
		for _, imp := range imports {
			if strings.HasPrefix(imp, "pipe/engine") && !allowed[imp] {
				t.Errorf("%s imports %s, which is not part of the contract of types", file, imp)
			}
		}
	})
}

// walkGo calls fn with every Go file below root that is not a test, and its imports.
func walkGo(t *testing.T, root string, fn func(file string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			imports = append(imports, name)
		}
		fn(p, imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEngineBuildsWithoutCgo builds the engine without cgo.
func TestEngineBuildsWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "./...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}
