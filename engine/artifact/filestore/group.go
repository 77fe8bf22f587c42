package filestore

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// group brings artifacts that are committed at the same time onto the disk together: what comes while one lot is under
// way waits and makes up the next, and a lot waits a moment for those whose files are being hashed.
type group struct {
	mu      sync.Mutex
	cond    *sync.Cond
	coming  int // are on their way to install
	waiting []*installation
	busy    bool
}

// lotPatience is how long a lot waits for others: less than it takes to write it.
const lotPatience = 2 * time.Millisecond

func newGroup() *group {
	g := &group{}
	g.cond = sync.NewCond(&g.mu)
	return g
}

// expect announces an installation. The function takes that back, once; install does it too.
func (g *group) expect() (arrived func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.coming++
	var once sync.Once
	return func() {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.coming--; g.coming == 0 {
				g.cond.Broadcast()
			}
		})
	}
}

// settle waits for those that are coming.
func (g *group) settle() {
	over := false
	timer := time.AfterFunc(lotPatience, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		over = true
		g.cond.Broadcast()
	})
	defer timer.Stop()
	for g.coming > 0 && !over {
		g.cond.Wait()
	}
}

// installation is the files of one artifact that wait for their final names, the manifest last.
type installation struct {
	files []staged
	dirs  map[string]struct{} // whose names must be durable
	done  bool
	err   error
}

// install returns when the files of in have their names, durably.
func (g *group) install(s *Store, in *installation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, in)
	for !in.done {
		if g.busy {
			g.cond.Wait()
			continue
		}
		g.busy = true
		if g.coming > 0 {
			g.settle()
		}
		lot := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		s.installLot(lot)
		g.mu.Lock()
		for _, in := range lot {
			in.done = true
		}
		g.busy = false
		g.cond.Broadcast()
	}
	return in.err
}

// installLot makes all content durable, then gives everything its name, then makes the names durable. The content of no
// name is ever in doubt, not after a power cut either. What is under way is finished: others wait for it.
func (s *Store) installLot(lot []*installation) {
	ctx := context.Background()
	var files []string
	for _, in := range lot {
		for _, t := range in.files {
			files = append(files, t.tmp)
		}
	}
	if err := s.syncAll(ctx, files); err != nil {
		fail(lot, s.explain(err))
		return
	}
	dirs := map[string]struct{}{}
	for _, in := range lot {
		for i := 0; i < len(in.files) && in.err == nil; i++ {
			in.err = s.name(ctx, in.files[i], in.dirs)
		}
		maps.Copy(dirs, in.dirs)
	}
	if err := s.syncAll(ctx, slices.Collect(maps.Keys(dirs))); err != nil {
		fail(lot, s.explain(err))
	}
}

func fail(lot []*installation, err error) {
	for _, in := range lot {
		if in.err == nil {
			in.err = err
		}
	}
}

// syncEach is up to how many files are made durable one by one. With more, asking for the whole file system is faster,
// although that includes what others wrote to it.
const syncEach = 8

// syncAll makes files or directories of the store durable.
func (s *Store) syncAll(ctx context.Context, paths []string) error {
	if len(paths) > syncEach {
		if root, err := os.Open(s.root); err == nil {
			defer root.Close()
			if ok, err := syncFileSystem(root); ok {
				return err
			}
		}
	}
	return each(ctx, len(paths), func(_ context.Context, i int) error { return syncFile(paths[i]) })
}
