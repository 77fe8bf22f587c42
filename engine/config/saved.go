package config

import (
	"bytes"
	"encoding/gob"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// A plan of many blocks is decoded once: its decoded form is kept in a file with digests of all that was read for it. It is
// used again only when every one of them still holds, with the same options and the same program; anything else about the
// file that is not as expected makes it as if it were not there.
const (
	savedFrom   = 64 << 10 // bytes of plan files
	savedFiles  = 4        // in the directory, the latest ones
	savedSuffix = ".pipeline"
)

type saved struct {
	Reads     []read
	Found     []digest.Digest // of Reads
	Sources   []string        // names in messages
	Files     []string        // their absolute paths
	Name      string
	Settings  Settings
	Roots     []string
	Variables []savedValue
	Outputs   []savedValue
	Nodes     []savedNode
	Notifiers []savedNotifier
	Moves     []Move
	Removals  []Removal
	Imports   []Import
}

type savedValue struct {
	Name string
	JSON []byte
}

type savedNode struct {
	Addr         addr.Addr
	Type         string
	Config       []byte
	Inputs       []Edge
	DependsOn    []addr.Addr
	Expectations []check.Expectation
	Options      Options
	Range        hcl.Range
	Attrs        []string
	AttrRanges   []hcl.Range
}

type savedNotifier struct {
	Addr   addr.Addr
	Type   string
	Config []byte
	On     []string
	Range  hcl.Range
}

// savedPath names the file for the options. Two programs never share one.
func savedPath(opts LoadOptions) (string, bool) {
	if opts.Saved == "" || opts.Registry == nil {
		return "", false
	}
	exe, err := os.Executable()
	if err != nil {
		return "", false
	}
	info, err := os.Stat(exe)
	if err != nil {
		return "", false
	}
	key := digest.JSON([]any{opts.Path, opts.WorkDir, opts.Environment, opts.Version, opts.Vars, opts.VarFiles, opts.MissingSecretsOK,
		exe, info.Size(), info.ModTime().UnixNano(), runtime.Version()})
	return filepath.Join(opts.Saved, key.Hex()+savedSuffix), true
}

// save keeps the decoded form of a large plan without diagnostics. A failure is no failure of the Load.
func (l *loader) save() {
	path, ok := savedPath(l.opts)
	if !ok || len(l.diags) > 0 {
		return
	}
	size := 0
	for _, f := range l.p.Sources {
		size += len(f.Bytes)
	}
	if size < savedFrom {
		return
	}
	s, ok := l.saved()
	if !ok {
		return
	}
	var body bytes.Buffer
	if gob.NewEncoder(&body).Encode(s) != nil {
		return
	}
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	prune(filepath.Dir(path), savedFiles-1)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".saved-*")
	if err != nil {
		return
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(string(digest.Bytes(body.Bytes())) + "\n")
	if err == nil {
		_, err = tmp.Write(body.Bytes())
	}
	if closed := tmp.Close(); err == nil && closed == nil {
		_ = os.Rename(tmp.Name(), path)
	}
}

// prune leaves the latest files.
func prune(dir string, keep int) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), savedSuffix) {
			files = append(files, file{e.Name(), info.ModTime()})
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].at.After(files[j].at) })
	for _, f := range files[min(keep, len(files)):] {
		_ = os.Remove(filepath.Join(dir, f.name))
	}
}

// saved is false for what must not be written down, such as a sensitive value, or cannot be.
func (l *loader) saved() (saved, bool) {
	p := l.p
	s := saved{Name: p.Name, Settings: p.Settings, Roots: l.paths.Roots, Moves: p.Moves, Removals: p.Removals, Imports: p.Imports}
	for _, r := range l.reads.sorted() {
		found := l.reads[r]
		if found == "" && r.Kind != readEnv {
			return s, false
		}
		s.Reads, s.Found = append(s.Reads, r), append(s.Found, found)
		if r.Kind == readFile && p.Sources[l.display(r.Name)] != nil {
			s.Sources, s.Files = append(s.Sources, l.display(r.Name)), append(s.Files, r.Name)
		}
	}
	if len(s.Sources) != len(p.Sources) {
		return s, false
	}
	ok := len(l.redact) == 0
	for _, v := range p.Variables {
		s.Variables = append(s.Variables, saveValue(v.Name, v.Value, v.Sensitive, &ok))
	}
	for _, o := range p.Outputs {
		s.Outputs = append(s.Outputs, saveValue(o.Name, o.Value, o.Sensitive, &ok))
	}
	for _, n := range p.Nodes {
		attrs := sortedKeys(n.AttrRanges)
		ranges := make([]hcl.Range, len(attrs))
		for i, a := range attrs {
			ranges[i] = n.AttrRanges[a]
		}
		s.Nodes = append(s.Nodes, savedNode{Addr: n.Addr, Type: n.Type.Name(), Config: n.Config, Inputs: n.Inputs, DependsOn: n.DependsOn,
			Expectations: n.Expectations, Options: n.Options, Range: n.Range, Attrs: attrs, AttrRanges: ranges})
	}
	for _, n := range p.Notifiers {
		s.Notifiers = append(s.Notifiers, savedNotifier{n.Addr, n.Type.Name(), n.Config, n.On, n.Range})
	}
	return s, ok
}

func saveValue(name string, v cty.Value, sensitive bool, ok *bool) savedValue {
	if sensitive || v == cty.NilVal || v.ContainsMarked() || !v.IsWhollyKnown() {
		*ok = false
		return savedValue{}
	}
	b, err := ctyjson.Marshal(v, cty.DynamicPseudoType)
	*ok = *ok && err == nil
	return savedValue{name, b}
}

// restore returns the kept Pipeline, or nil.
func restore(opts LoadOptions) *Pipeline {
	path, ok := savedPath(opts)
	if !ok {
		return nil
	}
	if opts.Getenv == nil {
		opts.Getenv = func(string) (string, bool) { return "", false }
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	sum, body, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(sum) != string(digest.Bytes(body)) {
		return nil
	}
	var s saved
	if gob.NewDecoder(bytes.NewReader(body)).Decode(&s) != nil {
		return nil
	}
	opts.WorkDir = filepath.Clean(opts.WorkDir)
	p := &Pipeline{Name: s.Name, Environment: opts.Environment, WorkDir: opts.WorkDir, Settings: s.Settings,
		Moves: s.Moves, Removals: s.Removals, Imports: s.Imports}
	if p.Sources, ok = s.holds(opts); !ok || !s.values(p) || !s.nodes(p, opts.Registry) {
		return nil
	}
	return p
}

// holds reports whether all that was read is still the same, and returns the sources.
func (s *saved) holds(opts LoadOptions) (map[string]*hcl.File, bool) {
	names := make(map[string]string, len(s.Files))
	for i, f := range s.Files {
		names[f] = s.Sources[i]
	}
	sources := make(map[string]*hcl.File, len(s.Files))
	paths := stage.Env{WorkDir: opts.WorkDir, Roots: s.Roots}
	for i, r := range s.Reads {
		found, b := r.look(opts, paths)
		if found != s.Found[i] {
			return nil, false
		}
		if name, is := names[r.Name]; is && r.Kind == readFile {
			sources[name] = &hcl.File{Bytes: b}
		}
	}
	return sources, true
}

func (s *saved) values(p *Pipeline) bool {
	for _, v := range s.Variables {
		x, err := ctyjson.Unmarshal(v.JSON, cty.DynamicPseudoType)
		if err != nil {
			return false
		}
		p.Variables = append(p.Variables, Variable{Name: v.Name, Value: x})
	}
	for _, v := range s.Outputs {
		x, err := ctyjson.Unmarshal(v.JSON, cty.DynamicPseudoType)
		if err != nil {
			return false
		}
		p.Outputs = append(p.Outputs, Output{Name: v.Name, Value: x})
	}
	return true
}

// nodes decodes the configurations again, which is where types have their say, on all processors.
func (s *saved) nodes(p *Pipeline, registry *stage.Registry) bool {
	schemas := map[stage.Type]stage.Schema{}
	p.Nodes = make([]*Node, len(s.Nodes))
	for i, n := range s.Nodes {
		typ, ok := registry.Lookup(n.Addr.Kind, n.Type)
		if !ok {
			return false
		}
		if _, known := schemas[typ]; !known {
			schemas[typ] = typ.Schema()
		}
		ranges := make(map[string]hcl.Range, len(n.Attrs))
		for j, a := range n.Attrs {
			ranges[a] = n.AttrRanges[j]
		}
		p.Nodes[i] = &Node{Addr: n.Addr, Type: typ, Config: n.Config, Inputs: n.Inputs, DependsOn: n.DependsOn,
			Expectations: n.Expectations, Options: n.Options, Range: n.Range, AttrRanges: ranges}
	}
	for _, n := range s.Notifiers {
		typ, ok := registry.Lookup(n.Addr.Kind, n.Type)
		if !ok {
			return false
		}
		p.Notifiers = append(p.Notifiers, &Notifier{n.Addr, typ, n.Config, n.On, n.Range})
	}
	var failed atomic.Bool
	var wg sync.WaitGroup
	for part := range slices.Chunk(p.Nodes, max(1, len(p.Nodes)/runtime.GOMAXPROCS(0))) {
		wg.Go(func() {
			for _, n := range part {
				v, err := stage.DecodeConfig(schemas[n.Type], n.Config)
				if err == nil {
					n.Runner, err = n.Type.Decode(v)
				}
				if err != nil {
					failed.Store(true)
					return
				}
			}
		})
	}
	wg.Wait()
	return !failed.Load()
}
