package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"pipe/engine/graph"
	"pipe/engine/plan"
	"pipe/engine/view"
)

// reviewFlags say how a plan is shown, by plan and by show.
type reviewFlags struct {
	format string
	since  string
}

// The forms of a plan.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatMarkdown = "markdown"
	formatHTML     = "html"
)

func formats() []string { return []string{formatText, formatJSON, formatMarkdown, formatHTML} }

const (
	formatUsage = "text; json: the canonical bytes that the identity is the SHA-256 of; markdown: for a pull request; html: a page"
	sinceUsage  = "say first what differs in meaning from the plan in `file`"
)

// declare adds the flags to a command.
func (f *reviewFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", formatText, formatUsage)
	flags.StringVar(&f.since, "since", "", sinceUsage)
}

// check refuses flags that exclude each other.
func (f reviewFlags) check(a *app) error {
	switch {
	case !slices.Contains(formats(), f.format):
		return usagef("--format %s: use one of %s", f.format, strings.Join(formats(), ", "))
	case a.json && f.format != formatText && f.format != formatJSON:
		return usagef("--json and --format %s exclude each other", f.format)
	case f.since != "" && (a.json || f.format == formatJSON):
		return usagef("--since shows a difference to people: use it with the formats text, markdown and html")
	}
	return nil
}

// given reports whether a form was asked for that only plans have.
func (f reviewFlags) given() bool { return f.format != formatText || f.since != "" }

// earlier reads the plan that --since names; none is nil.
func (a *app) earlier(f reviewFlags) (*plan.Plan, error) {
	if f.since == "" {
		return nil, nil
	}
	path, err := a.path(f.since)
	if err != nil {
		return nil, err
	}
	old, err := readPlan(path, f.since)
	if err != nil {
		return nil, fmt.Errorf("--since %w", err)
	}
	return old, nil
}

// review writes a plan in the form that was asked for. old is the plan that it is compared with, g the graph that it was
// made of; nil for none.
func (a *app) review(p, old *plan.Plan, g *graph.Graph, f reviewFlags) error {
	var since *view.Since
	if old != nil {
		since = &view.Since{Old: old.Digest(), Comparison: plan.Compare(old, p)}
	}
	switch {
	case f.format == formatJSON:
		b, err := p.Encode()
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(b)
		return err
	case a.json:
		view.NewJSONLines(a.stdout).Plan(p)
		return nil
	case f.format == formatMarkdown:
		view.Markdown(a.stdout, p, since)
		return nil
	case f.format == formatHTML:
		return view.Page(a.stdout, p, g, since)
	}
	if since != nil {
		view.SincePlan(a.stdout, *since, a.style())
	}
	view.Plan(a.stdout, p, a.style())
	return nil
}
