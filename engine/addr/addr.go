package addr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind is the kind of a node: the HCL block type.
type Kind string

// The kinds of blocks that have addresses. Notify blocks are addressed but are no nodes of the graph.
const (
	Input   Kind = "input"
	Stage   Kind = "stage"
	Publish Kind = "publish"
	Notify  Kind = "notify"
)

// Addr is the address of a node, or of one instance of it under for_each, possibly inside a module. An Addr that has a
// Module and no Kind names the module itself.
type Addr struct {
	Module string // the spelling of the module's address, such as module.a.module.b["k"]; "" is the root
	Kind   Kind
	Name   string
	Key    string
	Keyed  bool
}

// New returns the address of a block without for_each, outside of all modules.
func New(kind Kind, name string) Addr { return Addr{Kind: kind, Name: name} }

// Module returns the address of a module that is called in the module parent ("" for the root).
func Module(parent, name string) Addr {
	if parent != "" {
		parent += "."
	}
	return Addr{Module: parent + "module." + name}
}

// In returns the address of the same block inside a module that is called in a's module; the module "" changes nothing.
func (a Addr) In(module string) Addr {
	switch {
	case module == "":
	case a.Module == "":
		a.Module = module
	default:
		a.Module = module + "." + a.Module
	}
	return a
}

// Instance returns the address of the instance key of the block (or module) a.
func (a Addr) Instance(key string) Addr {
	if a.Kind == "" {
		return Addr{Module: a.Module + "[" + strconv.Quote(key) + "]"}
	}
	return Addr{Module: a.Module, Kind: a.Kind, Name: a.Name, Key: key, Keyed: true}
}

// Block returns the address without its instance key.
func (a Addr) Block() Addr { return Addr{Module: a.Module, Kind: a.Kind, Name: a.Name} }

// IsZero reports whether a is the zero Addr.
func (a Addr) IsZero() bool { return a == Addr{} }

// IsModule reports whether a names a module and no node in it.
func (a Addr) IsModule() bool { return a.Kind == "" && a.Module != "" }

// Covers reports whether b is a, or an instance of the block a, or in the module a or an instance of it.
func (a Addr) Covers(b Addr) bool {
	if a.IsModule() {
		rest, ok := strings.CutPrefix(b.Module, a.Module)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	return a == b || !a.Keyed && a == b.Block()
}

// String returns the one spelling of the address.
func (a Addr) String() string {
	if a.Kind == "" && a.Name == "" {
		return a.Module
	}
	s := string(a.Kind) + "." + a.Name
	if a.Module != "" {
		s = a.Module + "." + s
	}
	if a.Keyed {
		s += "[" + strconv.Quote(a.Key) + "]"
	}
	return s
}

// Compare orders addresses by kind (modules, inputs, stages, publishes, notifiers), module, name and key.
func (a Addr) Compare(b Addr) int {
	if c := a.Kind.rank() - b.Kind.rank(); c != 0 {
		return c
	}
	if c := strings.Compare(a.Module, b.Module); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

func (k Kind) rank() int {
	switch k {
	case "":
		return -1
	case Input:
		return 0
	case Stage:
		return 1
	case Publish:
		return 2
	default:
		return 3
	}
}

// MarshalText returns the spelling, so that addresses stand as strings in JSON, also as map keys.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses a spelling.
func (a *Addr) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*a = Addr{}
		return nil
	}
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*a = p
	return nil
}

// Parse reads an address such as stage.bars, stage.bars["2025-01"], module.a.stage.bars or module.a["k"].
func Parse(s string) (Addr, error) {
	module, rest, err := parseModule(s)
	if err != nil || module != "" && rest == "" {
		return Addr{Module: module}, err
	}
	kind, rest, ok := strings.Cut(rest, ".")
	if !ok {
		return Addr{}, fmt.Errorf("%q is no address: write kind.name, such as stage.bars", s)
	}
	a := Addr{Module: module, Kind: Kind(kind)}
	switch a.Kind {
	case Input, Stage, Publish, Notify:
	default:
		return Addr{}, fmt.Errorf("%q is no address: %q is none of input, stage, publish, notify", s, kind)
	}
	if a.Name, a.Key, a.Keyed, rest, err = parseName(s, rest); err != nil {
		return Addr{}, err
	}
	if rest != "" {
		return Addr{}, fmt.Errorf("%q is no address: nothing may follow the name and its instance key", s)
	}
	return a, nil
}

// parseModule reads the modules at the start of an address.
func parseModule(s string) (module, rest string, err error) {
	rest = s
	for {
		tail, ok := strings.CutPrefix(rest, "module.")
		if !ok {
			return module, rest, nil
		}
		name, key, keyed, tail, err := parseName(s, tail)
		if err != nil {
			return "", "", err
		}
		m := Module(module, name)
		if keyed {
			m = m.Instance(key)
		}
		module = m.Module
		if tail == "" {
			return module, "", nil
		}
		if rest, ok = strings.CutPrefix(tail, "."); !ok || rest == "" {
			return "", "", fmt.Errorf("%q is no address: a dot and a node stand after a module, as in module.a.stage.bars", s)
		}
	}
}

// parseName reads a name and, if one follows, an instance key. whole is for messages.
func parseName(whole, s string) (name, key string, keyed bool, rest string, err error) {
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	name, rest = s[:end], s[end:]
	if !ValidName(name) {
		return "", "", false, "", fmt.Errorf("%q is no address: a name has letters, digits, _ and -, and starts with a letter", whole)
	}
	if !strings.HasPrefix(rest, "[") {
		return name, "", false, rest, nil
	}
	quoted, err := strconv.QuotedPrefix(rest[1:])
	if err == nil {
		key, err = strconv.Unquote(quoted)
	}
	if err != nil || quoted[0] != '"' {
		return "", "", false, "", fmt.Errorf("%q is no address: write the instance key in double quotes, as in stage.bars[\"a\"]", whole)
	}
	rest, ok := strings.CutPrefix(rest[1+len(quoted):], "]")
	if !ok {
		return "", "", false, "", fmt.Errorf("%q is no address: the instance key lacks its closing bracket", whole)
	}
	return name, key, true, rest, nil
}

// ValidName reports whether s can name a node.
func ValidName(s string) bool { return validName.MatchString(s) }

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
