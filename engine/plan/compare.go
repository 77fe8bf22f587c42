package plan

import (
	"bytes"
	"encoding/json"
	"slices"

	"pipe/engine/addr"
	"pipe/engine/digest"
)

// Comparison is what differs in meaning between two plans: what apply would do otherwise, or for another reason. When
// and against which serial of the state a plan was made, how long it should take and its identity have no meaning here.
type Comparison struct {
	Plan    []Difference `json:"plan,omitempty"`    // of the plan as a whole: mode, targets, settings, variables, outputs, …
	Added   []*Change    `json:"added,omitempty"`   // changes that only the new plan has, in its order
	Removed []*Change    `json:"removed,omitempty"` // changes that only the old plan has, in its order
	Changed []Changed    `json:"changed,omitempty"` // changes of both that differ, in the order of the new plan
}

// Changed is a change that both plans have, and what differs in it. There is at least one difference.
type Changed struct {
	Address     addr.Addr    `json:"address"`
	Differences []Difference `json:"differences"`
	Old         *Change      `json:"-"`
	New         *Change      `json:"-"`
}

// Difference is one thing that differs. Aspect is the name of a field in the plan's JSON form, such as action, certainty,
// config, inputs, reasons, expectations or options; Path is the place within it: an attribute, the label of an input, the
// name of an expectation or of a variable, the code of a reason. An empty Before or After says that this side has none.
type Difference struct {
	Aspect string          `json:"aspect"`
	Path   string          `json:"path,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Empty reports whether nothing differs in meaning.
func (c *Comparison) Empty() bool {
	return len(c.Plan) == 0 && len(c.Added) == 0 && len(c.Removed) == 0 && len(c.Changed) == 0
}

// Aspects names the fields that differ, each once.
func (c *Changed) Aspects() []string {
	var list []string
	for _, d := range c.Differences {
		if !slices.Contains(list, d.Aspect) {
			list = append(list, d.Aspect)
		}
	}
	return list
}

// Compare finds out what the new plan means that the old one does not, and the other way round. A field counts unless it
// is known to have no meaning, so that one that is added to plans later cannot be overlooked.
func Compare(old, new *Plan) *Comparison {
	c := &Comparison{Plan: differences(old, new, withoutMeaning(planLevel))}
	was := map[addr.Addr][]*Change{}
	for i := range old.Changes {
		a := old.Changes[i].Address
		was[a] = append(was[a], &old.Changes[i])
	}
	for i := range new.Changes {
		now := &new.Changes[i]
		before := was[now.Address]
		if len(before) == 0 {
			c.Added = append(c.Added, now)
			continue
		}
		was[now.Address] = before[1:]
		if list := differences(before[0], now, withoutMeaning(changeLevel)); len(list) > 0 {
			c.Changed = append(c.Changed, Changed{Address: now.Address, Differences: list, Old: before[0], New: now})
		}
	}
	for i := range old.Changes {
		gone := &old.Changes[i]
		if slices.Contains(was[gone.Address], gone) {
			c.Removed = append(c.Removed, gone)
		}
	}
	return c
}

type level int

const (
	planLevel level = iota
	changeLevel
)

// withoutMeaning names the fields that say how and when a plan was made, not what it does. The order of changes (after)
// follows from their inputs and dependencies, which count; which entry was recorded shows in the reasons and the artifact.
func withoutMeaning(l level) []string {
	if l == planLevel {
		return []string{"format_version", "pipe_version", "author", "config_digest", "state", "changes", "summary"}
	}
	return []string{"address", "kind", "after", "estimate", "entry"}
}

// differences compares two values of one struct type field by field, in the order of their names.
func differences(old, new any, skip []string) []Difference {
	a, b := encoded(old), encoded(new)
	if bytes.Equal(a, b) {
		return nil
	}
	was, now := members(a), members(b)
	var list []Difference
	for _, aspect := range keysOf(was, now) {
		if slices.Contains(skip, aspect) || bytes.Equal(was[aspect], now[aspect]) {
			continue
		}
		list = append(list, within(aspect, was[aspect], now[aspect])...)
	}
	return list
}

func encoded(v any) json.RawMessage {
	b, err := digest.Canonical(v)
	if err != nil {
		panic(err) // only plain data is in a plan
	}
	return b
}

// members returns the members of a JSON object; nothing and null have none.
func members(object json.RawMessage) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(object, &m) // written by encoded, or empty
	return m
}

func keysOf(a, b map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(a)+len(b))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
