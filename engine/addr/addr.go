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

// Addr is the address of a node, or of one instance of it under for_each.
type Addr struct {
	Kind  Kind
	Name  string
	Key   string
	Keyed bool
}

// New returns the address of a block without for_each.
func New(kind Kind, name string) Addr { return Addr{Kind: kind, Name: name} }

// Instance returns the address of the instance key of the block a.
func (a Addr) Instance(key string) Addr {
	return Addr{Kind: a.Kind, Name: a.Name, Key: key, Keyed: true}
}

// Block returns the address without its instance key.
func (a Addr) Block() Addr { return Addr{Kind: a.Kind, Name: a.Name} }

// IsZero reports whether a is the zero Addr.
func (a Addr) IsZero() bool { return a == Addr{} }

// String returns the one spelling of the address.
func (a Addr) String() string {
	if a.IsZero() {
		return ""
	}
	s := string(a.Kind) + "." + a.Name
	if a.Keyed {
		s += "[" + strconv.Quote(a.Key) + "]"
	}
	return s
}

// Compare orders addresses by kind (inputs, stages, publishes, notifiers), name and key.
func (a Addr) Compare(b Addr) int {
	if c := a.Kind.rank() - b.Kind.rank(); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

func (k Kind) rank() int {
	switch k {
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

// Parse reads an address such as stage.bars or stage.bars["2025-01"].
func Parse(s string) (Addr, error) {
	kind, rest, ok := strings.Cut(s, ".")
	if !ok {
		return Addr{}, fmt.Errorf("%q is no address: write kind.name, such as stage.bars", s)
	}
	a := Addr{Kind: Kind(kind)}
	switch a.Kind {
	case Input, Stage, Publish, Notify:
	default:
		return Addr{}, fmt.Errorf("%q is no address: %q is none of input, stage, publish, notify", s, kind)
	}
	if i := strings.IndexByte(rest, '['); i >= 0 {
		if !strings.HasSuffix(rest, "]") {
			return Addr{}, fmt.Errorf("%q is no address: the instance key lacks its closing bracket", s)
		}
		key, err := strconv.Unquote(rest[i+1 : len(rest)-1])
		if err != nil {
			return Addr{}, fmt.Errorf("%q is no address: write the instance key in double quotes, as in stage.bars[\"a\"]", s)
		}
		a.Key, a.Keyed, rest = key, true, rest[:i]
	}
	if !ValidName(rest) {
		return Addr{}, fmt.Errorf("%q is no address: a name has letters, digits, _ and -, and starts with a letter", s)
	}
	a.Name = rest
	return a, nil
}

// ValidName reports whether s can name a node.
func ValidName(s string) bool { return validName.MatchString(s) }

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
