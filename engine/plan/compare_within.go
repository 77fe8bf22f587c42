package plan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"pipe/engine/addr"
	"pipe/engine/check"
)

// within takes the values of one aspect, which differ, apart into the smallest things that differ. It never gives none:
// what cannot be taken apart is one difference as a whole.
func within(aspect string, before, after json.RawMessage) []Difference {
	was, now := parts(aspect, before), parts(aspect, after)
	var list []Difference
	for _, p := range keysOf(was, now) {
		if !bytes.Equal(was[p], now[p]) {
			list = append(list, Difference{Aspect: aspect, Path: p, Before: was[p], After: now[p]})
		}
	}
	if len(list) == 0 { // the same parts in another order
		list = []Difference{{Aspect: aspect, Before: before, After: after}}
	}
	return list
}

// parts files the parts of an aspect under names for people.
func parts(aspect string, raw json.RawMessage) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	switch aspect {
	case "config", "options", "settings":
		flatten("", raw, m)
	case "variables", "outputs":
		return members(raw)
	case "inputs":
		eachPart(raw, m, func(in struct{ Label string }) string { return in.Label })
	case "notifiers":
		eachPart(raw, m, func(n struct{ Address addr.Addr }) string { return n.Address.String() })
	case "reasons":
		eachPart(raw, m, nameOfReason)
	case "expectations":
		var list []check.Expectation
		_ = json.Unmarshal(raw, &list) // of a plan, or empty
		for name, e := range byName(list).by {
			m[name] = canonical(e)
		}
	default:
		if len(raw) > 0 {
			m[""] = raw
		}
	}
	return m
}

// eachPart files the elements of a list under their names. A name that comes again gets a number.
func eachPart[T any](raw json.RawMessage, into map[string]json.RawMessage, nameOf func(T) string) {
	var list []json.RawMessage
	_ = json.Unmarshal(raw, &list) // of a plan, or empty
	for _, element := range list {
		var v T
		_ = json.Unmarshal(element, &v) // what cannot be read goes by its number
		base := nameOf(v)
		name := base
		for i := 2; into[name] != nil; i++ {
			name = fmt.Sprintf("%s #%d", base, i)
		}
		into[name] = element
	}
}

// nameOfReason says what a reason is about: its code, and the attribute, file, expectation or upstream.
func nameOfReason(r Reason) string {
	about := r.Path
	if about == "" {
		about = r.Input
	}
	if about == "" {
		about = r.Address.String()
	}
	if about == "" {
		return string(r.Code)
	}
	return string(r.Code) + " " + about
}
