package view

import (
	"fmt"
	"io"
	"strings"

	"pipe/engine/plan"
)

// MaxMarkdown is how many bytes of UTF-8 Markdown writes at most: what a comment on a pull request may hold.
const MaxMarkdown = 65536

// Markdown writes a plan for a comment on a pull request: the counts, then what happens, most dangerous first. Whatever
// the size of the plan it fits in MaxMarkdown. Details give way first, then creates and updates, which are counted; the
// addresses of deletes and publishes stay, and if even they do not fit, the page says so before anything else. since may
// be nil.
func Markdown(w io.Writer, p *plan.Plan, since *Since) {
	io.WriteString(w, markdown(p, since, MaxMarkdown))
}

func markdown(p *plan.Plan, since *Since, limit int) string {
	m := &markdownPage{plan: p, identity: string(p.Digest())}
	head := marker(p.Pipeline, p.Environment) + m.heading()
	summary := m.summary()
	m.room = limit - len(head) - len(summary)
	changes := ""
	if p.HasChanges() {
		m.sections = sectionsOf(p)
		m.room -= m.reserve(since)
		changes = m.changes(since)
	} else if since != nil {
		m.since = since.markdown(m.room)
	}
	return head + m.warning + m.since + summary + changes
}

// markdownPage is one page while it is put together. room is how many bytes are free.
type markdownPage struct {
	plan           *plan.Plan
	identity       string
	sections       []*section
	room           int
	warning, since string
}

const nameColumns = 80

func (m *markdownPage) heading() string {
	what := "Plan for"
	switch m.plan.Mode {
	case plan.Destroy:
		what = "Plan to destroy"
	case plan.RefreshOnly:
		what = "Plan to restore the materialised files of"
	}
	return fmt.Sprintf("### %s %s in %s\n\n", what, code(clip(m.plan.Pipeline, nameColumns)), code(clip(m.plan.Environment, nameColumns)))
}

// summary is a line, a table and the identity.
func (m *markdownPage) summary() string {
	p, sum := m.plan, m.plan.Summary
	var b strings.Builder
	if !p.HasChanges() {
		fmt.Fprintf(&b, "**No changes.** %s unchanged.\n\n", Plural(int64(sum.NoOp), "node", "nodes"))
	} else {
		fmt.Fprintf(&b, "**%s** to delete, **%s** to publish, **%s** to update, **%s** to create, **%s** other; %s unchanged%s.\n\n",
			m.count(deletes), m.count(publishes), m.count(updates), m.countAction(plan.Create), m.countOther(),
			Count(int64(sum.NoOp)), leftOutNote(p))
		b.WriteString(m.table())
	}
	if len(p.Targets) > 0 {
		fmt.Fprintf(&b, "Limited to %s and what it needs.\n\n", code(clip(targets(p), 400)))
	}
	if e, runs, of := expected(p); e >= 1 {
		fmt.Fprintf(&b, "Expected time: about %s for the %s of %s that ran before.\n\n", seconds(e), Count(int64(runs)), Count(int64(of)))
	}
	fmt.Fprintf(&b, "Identity: `%s`\n", m.identity)
	return b.String()
}

func leftOutNote(p *plan.Plan) string {
	if len(p.Targets) > 0 {
		return " or left out"
	}
	return ""
}

func (m *markdownPage) count(d danger) string {
	n := 0
	for i := range m.plan.Changes {
		if dangerOf(&m.plan.Changes[i]) == d {
			n++
		}
	}
	return Count(int64(n))
}

func (m *markdownPage) countAction(a plan.Action) string {
	n := 0
	for i := range m.plan.Changes {
		if c := &m.plan.Changes[i]; dangerOf(c) == rest && c.Action == a {
			n++
		}
	}
	return Count(int64(n))
}

func (m *markdownPage) countOther() string {
	n := 0
	for i := range m.plan.Changes {
		if c := &m.plan.Changes[i]; dangerOf(c) == rest && c.Action != plan.Create {
			n++
		}
	}
	return Count(int64(n))
}

// table counts changes by action, and what the counts say of running.
func (m *markdownPage) table() string {
	var b strings.Builder
	b.WriteString("| action | nodes | publishes among them | certain | may be skipped | restored from the store |\n" +
		"| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, action := range []plan.Action{plan.Delete, plan.Update, plan.Create, plan.Recheck, plan.Move, plan.Import} {
		var nodes, published, may, cached int64
		for i := range m.plan.Changes {
			c := &m.plan.Changes[i]
			if c.Action != action {
				continue
			}
			nodes++
			if c.Kind == "publish" {
				published++
			}
			if c.Certainty != plan.Must {
				may++
			}
			if c.Cached {
				cached++
			}
		}
		if nodes > 0 {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", action, Count(nodes), Count(published), Count(nodes-may), Count(may), Count(cached))
		}
	}
	return b.String() + "\n"
}

// all says how to see the whole plan.
const all = "All of it: `pipe show --format html PLANFILE`, or `--format text`."

// warn is put before everything else: the page leaves out dangerous changes.
func (m *markdownPage) warn(missing int) {
	m.warning = fmt.Sprintf("> [!CAUTION]\n> **This page does not list every delete and publish.** The plan has %s to delete and %s to publish, too many "+
		"for the %s bytes of a comment: %s of them are NOT listed below. Do not approve from this page alone.\n> Plan: `%s`. %s\n\n",
		m.count(deletes), m.count(publishes), Count(MaxMarkdown), Count(int64(missing)), m.identity, all)
}

// markdown renders what differs within room bytes: the counts always, then as many notes as fit, most dangerous first.
func (s Since) markdown(room int) string {
	head := fmt.Sprintf("#### Since the plan `%s`\n\n%s\n\n", s.Old.Short(), s.counts())
	notes := s.notes()
	var b strings.Builder
	for i, n := range notes {
		line := n.markdown()
		if len(head)+b.Len()+len(line) > room-sinceReserve {
			fmt.Fprintf(&b, "\n… and %s more differences are left out for space.\n", Count(int64(len(notes)-i)))
			break
		}
		b.WriteString(line)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return head + b.String()
}

const sinceReserve = 120

func (n note) markdown() string {
	subject := code(n.Address)
	if n.Address == "" {
		subject = ""
	}
	line := strings.TrimRight(fmt.Sprintf("- **%s** %s", n.Word, subject), " ")
	if n.Text != "" {
		line += " " + prose(n.Text, code)
	}
	var b strings.Builder
	b.WriteString(line + "\n")
	for i, l := range n.Lines {
		if i == maxReasons {
			fmt.Fprintf(&b, "  - … and %d more\n", len(n.Lines)-i)
			break
		}
		fmt.Fprintf(&b, "  - %s\n", code(clip(l, maxColumnsOfReason)))
	}
	return b.String()
}
