package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// requiredVersion checks required_version before anything else is decoded: a plan file for a later version may hold
// what this one does not know, and the version is then the thing to say.
func (l *loader) requiredVersion() bool {
	ok := true
	for _, b := range l.top.pipe {
		a, has := b.Body.Attributes["required_version"]
		if !has {
			continue
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			l.errorf("config.version", a.Expr.Range(), "Invalid version constraint",
				`required_version must be a literal string such as ">= 0.1.0".`)
			ok = false
			continue
		}
		holds, err := satisfies(l.opts.Version, v.AsString())
		switch {
		case err != nil:
			l.errorf("config.version", a.Expr.Range(), "Invalid version constraint", "%s", sentence(err.Error()))
			ok = false
		case !holds:
			l.errorf("config.version", a.Expr.Range(), "Unsupported version of pipe",
				"The plan needs pipe %s, and this is pipe %s. Use a version that fits, or change required_version.",
				v.AsString(), l.opts.Version)
			ok = false
		}
	}
	return ok
}

type version [3]int

func parseVersion(s string) (v version, parts int, err error) {
	core := strings.TrimPrefix(strings.TrimSpace(s), "v")
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core = core[:i] // a pre-release counts as its release
	}
	fields := strings.Split(core, ".")
	if len(fields) > len(v) {
		return v, 0, fmt.Errorf("%q is no version: write it as 1.2.3", s)
	}
	for i, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			return v, 0, fmt.Errorf("%q is no version: write it as 1.2.3", s)
		}
		v[i] = n
	}
	return v, len(fields), nil
}

func (v version) compare(w version) int {
	for i := range v {
		if v[i] != w[i] {
			return v[i] - w[i]
		}
	}
	return 0
}

// satisfies reports whether a version fits a constraint such as ">= 0.1.0, < 2.0". An empty version fits all.
func satisfies(have, constraint string) (bool, error) {
	holds := true
	for _, part := range strings.Split(constraint, ",") {
		part = strings.TrimSpace(part)
		number := strings.TrimLeft(part, "<>=!~ ")
		op := strings.TrimSpace(strings.TrimSuffix(part, number))
		want, parts, err := parseVersion(number)
		if err != nil {
			return false, err
		}
		test, err := comparison(op, want, parts)
		if err != nil {
			return false, err
		}
		if have == "" {
			continue
		}
		v, _, err := parseVersion(have)
		if err != nil {
			return false, err
		}
		holds = holds && test(v)
	}
	return holds, nil
}

func comparison(op string, want version, parts int) (func(version) bool, error) {
	switch op {
	case "", "=":
		return func(v version) bool { return v.compare(want) == 0 }, nil
	case "!=":
		return func(v version) bool { return v.compare(want) != 0 }, nil
	case ">":
		return func(v version) bool { return v.compare(want) > 0 }, nil
	case ">=":
		return func(v version) bool { return v.compare(want) >= 0 }, nil
	case "<":
		return func(v version) bool { return v.compare(want) < 0 }, nil
	case "<=":
		return func(v version) bool { return v.compare(want) <= 0 }, nil
	case "~>":
		// Only the last part that is written may be greater.
		next := want
		if parts >= 2 {
			next[parts-2]++
			for i := parts - 1; i < len(next); i++ {
				next[i] = 0
			}
			return func(v version) bool { return v.compare(want) >= 0 && v.compare(next) < 0 }, nil
		}
		return func(v version) bool { return v.compare(want) >= 0 }, nil
	}
	return nil, fmt.Errorf("%q is no comparison of versions: use one of = != > >= < <= ~>", op)
}
