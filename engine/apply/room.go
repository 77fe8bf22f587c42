package apply

import (
	"os"
	"path/filepath"
	"sync"
)

// room is the directory of one attempt: out, scratch, and in for inputs.
type room string

func (r room) out() string     { return filepath.Join(string(r), "out") }
func (r room) scratch() string { return filepath.Join(string(r), "scratch") }
func (r room) in() string      { return filepath.Join(string(r), "in") }

// rooms hands out empty rooms. One that is found empty afterwards is used again under another name: to make and remove
// directories is a good part of what a small node costs.
type rooms struct {
	mu   sync.Mutex
	free []room
}

// take makes an empty room at dir, where nothing is.
func (p *rooms) take(dir string) (room, error) {
	r := room(dir)
	for {
		was, ok := p.pop()
		if !ok {
			break
		}
		if os.Rename(string(was), dir) == nil {
			return r, nil
		}
		_ = removeDir(string(was))
	}
	for _, d := range []string{dir, r.out(), r.scratch()} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (p *rooms) pop() (room, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return "", false
	}
	r := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return r, true
}

// giveBack takes a room back that nobody uses any more.
func (p *rooms) giveBack(r room) {
	_ = removeDir(r.in())
	if !r.asNew() {
		_ = removeDir(string(r))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, r)
}

// asNew reports whether the room is as take makes it.
func (r room) asNew() bool {
	list, err := os.ReadDir(string(r))
	if err != nil || len(list) != 2 || list[0].Name() != "out" || list[1].Name() != "scratch" {
		return false
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			return false
		}
		if inside, err := os.ReadDir(filepath.Join(string(r), e.Name())); err != nil || len(inside) > 0 {
			return false
		}
	}
	return true
}

// discard removes a room that is not to be used again.
func (r room) discard() { _ = removeDir(string(r)) }
