package engine

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/artifact"
	"pipe/engine/config"
	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// observeImports looks at what import blocks take in, of nodes of which nothing is recorded.
func (e *Engine) observeImports(ctx context.Context, p *config.Pipeline, snap *state.Snapshot, store ArtifactStore) (map[addr.Addr]digest.Digest, hcl.Diagnostics) {
	seen := map[addr.Addr]digest.Digest{}
	var diags hcl.Diagnostics
	env := stage.Env{WorkDir: e.WorkDir, Roots: e.roots(p.Settings)}
	for _, i := range p.Imports {
		if snap.Entries[i.To] != nil {
			continue
		}
		fail := func(format string, args ...any) {
			diags = append(diags, diag.Error("engine.import", i.Range.Ptr(), "Import not possible", format, args...))
		}
		if i.ID != "" {
			_, err := store.Get(ctx, i.ID)
			switch {
			case errors.Is(err, artifact.ErrNotFound):
				fail("The store holds no artifact %s, which is imported as %s.", i.ID.Short(), i.To)
			case err != nil:
				fail("The artifact %s, which is imported as %s, cannot be read: %s", i.ID.Short(), i.To, sentence(err.Error()))
			}
			continue
		}
		abs, err := env.Path(i.Path)
		if err == nil {
			seen[i.To], err = apply.Content(abs)
		}
		if err != nil {
			fail("%s, which is imported as %s, cannot be read: %s", i.Path, i.To, sentence(err.Error()))
		}
	}
	return seen, diags
}
