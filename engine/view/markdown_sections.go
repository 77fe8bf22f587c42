package view

import (
	"fmt"
	"strconv"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/plan"
)

// section is the changes of one danger. compressed is the least that can be said of all of them: their addresses.
type section struct {
	danger     danger
	groups     []*group
	shown      []string // by group: what is shown of it, "" for nothing
	brief      []string // by group: one line
	total      int
	compressed string
	dense      bool // compressed is what is shown
	missing    int  // how many even that leaves out
}

func sectionsOf(p *plan.Plan) []*section {
	list := make([]*section, dangers)
	for d := range dangers {
		list[d] = &section{danger: d}
	}
	for _, g := range groups(p) {
		s := list[g.danger]
		s.groups = append(s.groups, g)
		s.total += len(g.changes)
	}
	var filled []*section
	for _, s := range list {
		if s.total == 0 {
			continue
		}
		s.shown, s.brief = make([]string, len(s.groups)), make([]string, len(s.groups))
		for i, g := range s.groups {
			s.brief[i] = g.brief()
		}
		filled = append(filled, s)
	}
	return filled
}

func (s *section) dangerous() bool { return s.danger == deletes || s.danger == publishes }

func (s *section) title() string {
	return fmt.Sprintf("\n#### %s (%s)\n\n", titleOf(s.danger), Count(int64(s.total)))
}

func titleOf(d danger) string {
	switch d {
	case deletes:
		return "Deletes"
	case publishes:
		return "Publishes"
	case updates:
		return "Updates, those with most changes downstream first"
	}
	return "Creates and the rest"
}

// sectionReserve covers the title of a section and the line that counts what it leaves out.
const sectionReserve = 300

// warningReserve covers the warning that dangerous changes are left out.
const warningReserve = 700

// reserve is what the page needs besides its changes.
func (m *markdownPage) reserve(since *Since) int {
	n := warningReserve + len(m.sections)*sectionReserve
	if since != nil {
		n += len(since.markdown(0))
	}
	return n
}

// changes fills the sections within the room there is and renders them. The order of what takes room: the addresses of
// what is dangerous; what differs since an earlier plan; the reasons of what is dangerous; then one line each for the
// others, most dangerous first, and their reasons.
func (m *markdownPage) changes(since *Since) string {
	missing := m.listDangerous()
	if since != nil {
		m.since = since.markdown(min(m.room/3, 16<<10))
		m.room -= len(m.since)
	}
	if missing > 0 {
		m.warn(missing)
	} else {
		m.room += warningReserve
	}
	m.explain(func(s *section) bool { return s.dangerous() }, 0)
	others := func(s *section) bool { return !s.dangerous() }
	m.mention(others, m.room*2/5)
	m.explain(others, 0)
	m.mention(others, 0)
	var b strings.Builder
	for _, s := range m.sections {
		b.WriteString(s.render())
	}
	return b.String()
}

// listDangerous gives every dangerous change its line, or else its address alone. It returns how many did not fit even so.
func (m *markdownPage) listDangerous() (missing int) {
	lines := 0
	for _, s := range m.sections {
		if s.dangerous() {
			for _, b := range s.brief {
				lines += len(b)
			}
		}
	}
	for _, s := range m.sections {
		switch {
		case !s.dangerous():
		case lines <= m.room:
			copy(s.shown, s.brief)
		default:
			missing += s.compress(&m.room)
		}
	}
	if lines <= m.room {
		m.room -= lines
	}
	return missing
}

// compress lists the addresses of a section in as few bytes as it can, the keys of each block together, and returns how
// many did not fit. No address and no key is ever cut.
func (s *section) compress(room *int) (missing int) {
	s.dense = true
	var blocks []addr.Addr
	keys := map[addr.Addr][]string{}
	for _, g := range s.groups {
		for _, c := range g.changes {
			id := c.Address.Block()
			id.Keyed = c.Address.Keyed
			if _, seen := keys[id]; !seen {
				blocks = append(blocks, id)
			}
			keys[id] = append(keys[id], strconv.Quote(c.Address.Key))
		}
	}
	const fence = "```" // no line of addresses is a fence, so none can end it
	*room -= 2*len(fence) + len("\n\n")
	var b strings.Builder
	for _, id := range blocks {
		line, left := denseLine(id, keys[id], *room)
		b.WriteString(line)
		*room -= len(line)
		missing += left
	}
	s.missing = missing
	s.compressed = fence + "\n" + b.String() + fence + "\n"
	return missing
}

// denseLine spells one block with as many of its keys as fit, and tells how many did not.
func denseLine(id addr.Addr, keys []string, room int) (line string, left int) {
	name := id.Block().String()
	if !id.Keyed {
		if len(name)+1 > room {
			return "", 1
		}
		return name + "\n", 0
	}
	size, n := len(name)+len("[]\n"), 0
	for n < len(keys) && size+len(keys[n])+1 <= room {
		size += len(keys[n]) + 1
		n++
	}
	if n == 0 {
		return "", len(keys)
	}
	return name + "[" + strings.Join(keys[:n], ",") + "]\n", len(keys) - n
}

// mention gives groups that are not shown their line, in order, while more than leave bytes are free.
func (m *markdownPage) mention(of func(*section) bool, leave int) {
	for _, s := range m.sections {
		if !of(s) {
			continue
		}
		for i, b := range s.brief {
			if s.shown[i] == "" && m.room-len(b) >= leave {
				s.shown[i] = b
				m.room -= len(b)
			}
		}
	}
}

// explain gives groups that are shown their reasons, in order, while more than leave bytes are free.
func (m *markdownPage) explain(of func(*section) bool, leave int) {
	for _, s := range m.sections {
		if !of(s) || s.dense {
			continue
		}
		for i, g := range s.groups {
			if m.room <= leave {
				return
			}
			if s.shown[i] == "" {
				continue
			}
			full := g.full(m.plan.Mode)
			if more := len(full) - len(s.shown[i]); m.room-more >= leave {
				s.shown[i] = full
				m.room -= more
			}
		}
	}
}

func (s *section) render() string {
	var b strings.Builder
	b.WriteString(s.title())
	if s.dense {
		b.WriteString("The reasons are left out for space.")
		if s.missing > 0 {
			fmt.Fprintf(&b, " **%s of %s are NOT listed.** %s", Count(int64(s.missing)), Count(int64(s.total)), all)
		}
		b.WriteString("\n\n" + s.compressed)
		return b.String()
	}
	left, blocks := 0, map[addr.Addr]bool{}
	for i, g := range s.groups {
		if s.shown[i] == "" {
			left += len(g.changes)
			blocks[g.changes[0].Address.Block()] = true
		}
		b.WriteString(s.shown[i])
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %s of %s are left out for space. %s\n", Plural(int64(left), "more change", "more changes"),
			Plural(int64(len(blocks)), "block", "blocks"), all)
	}
	return b.String()
}
