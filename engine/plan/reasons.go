package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"

	"pipe/engine/check"
	"pipe/engine/config"
	"pipe/engine/digest"
	"pipe/engine/state"
)

// The paths of options that an entry remembers. A change of one of them updates the entry and runs nothing.
const (
	toPath        = "to"
	protectedPath = "prevent_destroy"
)

// isOption reports whether r is about an option, which runs nothing.
func isOption(r Reason) bool {
	return r.Code == ConfigChanged && (r.Path == toPath || r.Path == protectedPath)
}

// reasons compares the change with what is recorded. No reason means that nothing happens.
func (b *builder) reasons(c *Change, n *config.Node, e *state.Entry) []Reason {
	if e == nil {
		return []Reason{{Code: New}}
	}
	var list []Reason
	if e.Type != c.Type {
		list = append(list, Reason{Code: TypeChanged, Before: quote(e.Type), After: quote(c.Type)})
	} else if f := e.Fingerprint; f.Revision != c.Revision || f.Version != state.FingerprintVersion {
		list = append(list, Reason{Code: TypeChanged, Before: quote(fmt.Sprintf("%s revision %d (%s)", e.Type, f.Revision, f.Version)),
			After: quote(fmt.Sprintf("%s revision %d (%s)", c.Type, c.Revision, state.FingerprintVersion))})
	}
	list = append(list, configReasons(e.Fingerprint.Config, c.Config)...)
	if e.Fingerprint.Observation != c.Observation {
		list = append(list, Reason{Code: InputChanged, Path: "observed", Before: quote(string(e.Fingerprint.Observation)),
			After: quote(string(c.Observation))})
	}
	list = append(list, inputReasons(e, c)...)
	if why, gone := b.Observed.Missing[e.Artifact]; gone {
		list = append(list, Reason{Code: ArtifactMissing, Before: quote(string(e.Artifact)), Detail: why})
	}
	for _, d := range b.Observed.Drifted[e.Address] {
		r := Reason{Code: Drifted, Path: d.Path, Detail: d.What}
		if d.Want != "" {
			r.Before = quote(string(d.Want))
		}
		if d.Found != "" {
			r.After = quote(string(d.Found))
		}
		list = append(list, r)
	}
	if e.To != n.Options.To {
		list = append(list, Reason{Code: ConfigChanged, Path: toPath, Before: quote(e.To), After: quote(n.Options.To)})
	}
	if was, now := e.Protected, n.Options.PreventDestroy; was != now {
		list = append(list, Reason{Code: ConfigChanged, Path: protectedPath, Before: flag(was), After: flag(now)})
	}
	list = append(list, expectationReasons(e.Checks.Expectations, n.Expectations)...)
	if e.Address != n.Addr {
		list = append(list, Reason{Code: Moved, Before: quote(e.Address.String()), After: quote(n.Addr.String())})
	}
	return list
}

func flag(b bool) json.RawMessage { return json.RawMessage(strconv.FormatBool(b)) }

func quote(s string) json.RawMessage {
	b, err := digest.Canonical(s)
	if err != nil {
		panic(err)
	}
	return b
}

// inputReasons compares inputs by label. A label that only one side has shows in the configuration already.
func inputReasons(e *state.Entry, c *Change) []Reason {
	before := make(map[string]digest.Digest, len(e.Fingerprint.Inputs))
	for _, in := range e.Fingerprint.Inputs {
		before[in.Label] = in.Digest
	}
	var list []Reason
	for _, in := range c.Inputs {
		was, had := before[in.Label]
		switch {
		case in.Digest == "":
			list = append(list, Reason{Code: InputPending, Input: in.Label, Address: in.Address})
		case had && was != in.Digest:
			list = append(list, Reason{Code: InputChanged, Input: in.Label, Address: in.Address,
				Before: quote(string(was)), After: quote(string(in.Digest))})
		}
	}
	return list
}

// configReasons compares two canonical configurations to the leaf.
func configReasons(before, after json.RawMessage) []Reason {
	if bytes.Equal(before, after) {
		return nil
	}
	was, now := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	flatten("", before, was)
	flatten("", after, now)
	paths := make([]string, 0, len(was)+len(now))
	for p := range was {
		paths = append(paths, p)
	}
	for p := range now {
		if _, both := was[p]; !both {
			paths = append(paths, p)
		}
	}
	sort.Strings(paths)
	var list []Reason
	for _, p := range paths {
		if !bytes.Equal(was[p], now[p]) {
			list = append(list, Reason{Code: ConfigChanged, Path: p, Before: was[p], After: now[p]})
		}
	}
	return list
}

// flatten files every leaf of a JSON value under its path: cv.folds, legs[0].symbol. An empty object or list is a leaf.
func flatten(path string, raw json.RawMessage, into map[string]json.RawMessage) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return
	}
	switch trimmed[0] {
	case '{':
		var m map[string]json.RawMessage
		if json.Unmarshal(trimmed, &m) == nil && len(m) > 0 && !isMark(m) {
			for k, v := range m {
				flatten(joinKey(path, k), v, into)
			}
			return
		}
	case '[':
		var l []json.RawMessage
		if json.Unmarshal(trimmed, &l) == nil && len(l) > 0 {
			for i, v := range l {
				flatten(path+"["+strconv.Itoa(i)+"]", v, into)
			}
			return
		}
	}
	into[path] = trimmed
}

// isMark reports whether the object stands for a reference or a secret.
func isMark(m map[string]json.RawMessage) bool {
	return len(m) == 1 && (m["$input"] != nil || m["$secret"] != nil)
}

func joinKey(path, key string) string {
	if path == "" {
		return key
	}
	for _, r := range key {
		if r == '.' || r == '[' || r == '"' || r == ' ' {
			return path + "[" + strconv.Quote(key) + "]"
		}
	}
	return path + "." + key
}

// expectationReasons pairs expectations by type and column (or metric), in order.
func expectationReasons(before, after []check.Expectation) []Reason {
	was := byName(before)
	now := byName(after)
	var list []Reason
	for _, n := range now.names {
		a := now.by[n]
		switch w, ok := was.by[n]; {
		case !ok:
			list = append(list, Reason{Code: ExpectationAdded, Path: n, After: canonical(a)})
		case !bytes.Equal(canonical(w), canonical(a)):
			list = append(list, Reason{Code: ExpectationChanged, Path: n, Before: canonical(w), After: canonical(a)})
		}
	}
	for _, n := range was.names {
		if _, kept := now.by[n]; !kept {
			list = append(list, Reason{Code: ExpectationRemoved, Path: n, Before: canonical(was.by[n])})
		}
	}
	if len(list) == 0 && check.Digest(before) != check.Digest(after) {
		list = append(list, Reason{Code: ExpectationChanged, Detail: "the order of the expectations"})
	}
	return list
}

func canonical(e check.Expectation) json.RawMessage {
	b, err := digest.Canonical(e)
	if err != nil {
		panic(err)
	}
	return b
}

type named struct {
	names []string
	by    map[string]check.Expectation
}

// byName gives every expectation a name for people: its type and what it is about; a repeated name gets a number.
func byName(list []check.Expectation) named {
	n := named{by: make(map[string]check.Expectation, len(list))}
	for _, e := range list {
		var args struct {
			Column string `json:"column"`
			Metric string `json:"metric"`
		}
		name := e.Type
		if json.Unmarshal(e.Args, &args) == nil && args.Column+args.Metric != "" {
			name += "(" + args.Column + args.Metric + ")"
		}
		base := name
		for i := 2; ; i++ {
			if _, taken := n.by[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s #%d", base, i)
		}
		n.names = append(n.names, name)
		n.by[name] = e
	}
	return n
}

func hasCode(reasons []Reason, code Code) bool {
	for _, r := range reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// estimate is the expected duration of a run: quantiles (nearest rank) of the recorded ones.
func estimate(c *Change, e *state.Entry) *Estimate {
	if e == nil || len(e.History) == 0 || c.Cached || (c.Action != Create && c.Action != Update) {
		return nil
	}
	seconds := make([]float64, len(e.History))
	for i, s := range e.History {
		seconds[i] = s.Seconds
	}
	sort.Float64s(seconds)
	at := func(q float64) float64 { return seconds[int(math.Ceil(q*float64(len(seconds))))-1] }
	return &Estimate{SecondsP50: at(0.5), SecondsP90: at(0.9), Runs: len(seconds)}
}
