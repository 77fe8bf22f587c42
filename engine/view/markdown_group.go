package view

import (
	"fmt"
	"strings"

	"pipe/engine/plan"
)

const (
	foldFrom           = 9   // instances from which a group is folded
	maxInstances       = 200 // listed of a group that is not dangerous
	maxReasons         = 8   // lines below one change
	maxColumnsOfReason = 300 // of one line
)

// brief is one line for the group. What is dangerous is listed by address, instances with all their keys; of the rest the
// block and a count must do.
func (g *group) brief() string {
	name := g.address()
	if len(g.changes) > 1 && g.danger > publishes {
		name = g.changes[0].Address.Block().String()
	}
	return "- " + code(name) + g.times() + g.word() + "\n"
}

func (g *group) times() string {
	if len(g.changes) == 1 || g.danger <= publishes {
		return ""
	}
	return " × " + Count(int64(len(g.changes)))
}

// word names the action where the section does not.
func (g *group) word() string {
	if g.danger == publishes || g.danger == rest {
		return " " + string(g.changes[0].Action)
	}
	return ""
}

// about says what is known of the group besides its reasons; what plans say stands in code.
func (g *group) about(code func(string) string) string {
	c := g.changes[0]
	var list []string
	if g.word() != "" {
		list = append(list, signOf(c.Action).word)
	}
	style := Style{}
	if len(g.changes) > 1 {
		style.Timing = Untimed // each has its own
	}
	n := noteOf(c, style)
	if len(g.changes) > 1 && c.Action == plan.Import {
		n = "takes in what exists, nothing runs"
	}
	if n != "" {
		list = append(list, prose(clip(n, maxColumnsOfReason), code))
	}
	if g.blast > 0 && g.danger != deletes {
		upTo := ""
		if len(g.changes) > 1 {
			upTo = "up to "
		}
		list = append(list, upTo+Plural(int64(g.blast), "change", "changes")+" downstream")
	}
	if len(list) == 0 {
		return ""
	}
	return ", " + strings.Join(list, ", ")
}

// full is the group with its reasons. A large group is folded.
func (g *group) full(mode plan.Mode) string {
	c := g.changes[0]
	reasons := g.reasonsMarkdown(mode)
	if len(g.changes) >= foldFrom {
		return fmt.Sprintf("\n<details><summary>%s × %s (%s)%s</summary>\n\n%s- instances: %s\n\n</details>\n\n",
			htmlCode(c.Address.Block().String()), Count(int64(len(g.changes))), htmlCode(clip(c.Type, nameColumns)), g.about(htmlCode),
			strings.ReplaceAll("\n"+reasons, "\n  ", "\n")[1:], g.instances())
	}
	return fmt.Sprintf("- %s (%s)%s\n%s", code(g.address()), code(clip(c.Type, nameColumns)), g.about(code), reasons)
}

// instances lists the keys of the group; of a large one that is not dangerous, the first.
func (g *group) instances() string {
	n := len(g.changes)
	if g.danger > publishes {
		n = min(n, maxInstances)
	}
	text := code(g.keys(n))
	if more := len(g.changes) - n; more > 0 {
		text += fmt.Sprintf(" and %s more", Count(int64(more)))
	}
	return text
}

// reasonsMarkdown renders description and reasons as a list below the line of the group.
func (g *group) reasonsMarkdown(mode plan.Mode) string {
	var b strings.Builder
	if o := g.changes[0].Options; o != nil && o.Description != "" {
		fmt.Fprintf(&b, "  - %s\n", code(clip(o.Description, maxColumnsOfReason)))
	}
	why := g.why(mode)
	for i, lines := range why {
		if i == maxReasons {
			fmt.Fprintf(&b, "  - … and %s\n", Plural(int64(len(why)-i), "more reason", "more reasons"))
			break
		}
		fmt.Fprintf(&b, "  - %s\n", code(clip(lines[0], maxColumnsOfReason)))
		if len(lines) > 1 {
			for k := range lines {
				lines[k] = clip(lines[k], maxColumnsOfReason)
			}
			b.WriteString(block("diff", lines[1:], "    "))
		}
	}
	return b.String()
}
