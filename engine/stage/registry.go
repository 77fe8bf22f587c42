package stage

import (
	"fmt"
	"sort"

	"pipe/engine/addr"
)

// Registry holds the types that plan files may use. It is made once by main and never changes.
type Registry struct {
	types map[addr.Kind]map[string]Type
}

// NewRegistry returns a registry of the given types. Two types of one kind and name are a mistake of the program.
func NewRegistry(types ...Type) *Registry {
	r := &Registry{types: map[addr.Kind]map[string]Type{}}
	for _, t := range types {
		byName := r.types[t.Kind()]
		if byName == nil {
			byName = map[string]Type{}
			r.types[t.Kind()] = byName
		}
		if _, dup := byName[t.Name()]; dup {
			panic(fmt.Sprintf("stage: %s type %q is registered twice", t.Kind(), t.Name()))
		}
		byName[t.Name()] = t
	}
	return r
}

// Lookup returns the type of that kind and name. An input block has one label, its name; its type is "file".
func (r *Registry) Lookup(kind addr.Kind, name string) (Type, bool) {
	t, ok := r.types[kind][name]
	return t, ok
}

// Names returns the names of all types of a kind, sorted.
func (r *Registry) Names(kind addr.Kind) []string {
	var names []string
	for n := range r.types[kind] {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
