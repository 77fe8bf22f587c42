package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefresh takes away and changes what was materialised and published: a refresh plan shows just that, and applied it
// makes it good without a run of any stage.
func TestRefresh(t *testing.T) {
	p := newProject(t)
	p.must(0, "apply", "plans/sample", "--auto-approve")
	p.must(0, "plan", "plans/sample", "--refresh-only", "--detailed-exitcode")
	before := p.files("storage")
	version := filepath.Join(p.dir, "storage/models", p.version())
	for _, damage := range []struct {
		name, says string
		do         func() error
	}{
		{"a version is gone", "is not as it was published: it is gone", func() error { return os.RemoveAll(version) }},
		{"a file of a version is gone", "model_card.md is missing", func() error { return os.Remove(filepath.Join(version, "model_card.md")) }},
		{"a file of a version is changed", "model_card.md differs", func() error {
			return os.WriteFile(filepath.Join(version, "model_card.md"), []byte("{}\n"), 0o600)
		}},
		{"a file of one's own", "notes.txt is not part of it", func() error {
			return os.WriteFile(filepath.Join(version, "notes.txt"), []byte("x\n"), 0o600)
		}},
	} {
		if err := damage.do(); err != nil {
			t.Fatal(damage.name, err)
		}
		r := p.must(2, "plan", "plans/sample", "--refresh-only", "--detailed-exitcode", "--out", "refresh.json")
		if !strings.Contains(r.stdout, damage.says) || !strings.Contains(r.stdout, "1 to update") {
			t.Errorf("%s: %s", damage.name, r.stdout)
		}
		r = p.must(0, "apply", "refresh.json")
		if strings.Contains(r.stdout, "stage.") {
			t.Errorf("%s: a stage ran: %s", damage.name, r.stdout)
		}
		after := p.files("storage")
		for name := range after {
			if strings.Contains(name, "/.changed-") { // kept to be looked at
				delete(after, name)
			}
		}
		for name, digest := range before {
			if after[name] != digest && !strings.HasSuffix(name, "checksums.json") && !strings.HasSuffix(name, "SHA256SUMS") { // they say when
				t.Errorf("%s: %s is not as it was", damage.name, name)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: other files: %v", damage.name, difference(before, after))
		}
		p.must(0, "plan", "plans/sample", "--refresh-only", "--detailed-exitcode")
		p.must(0, "plan", "plans/sample", "--detailed-exitcode")
	}
}
