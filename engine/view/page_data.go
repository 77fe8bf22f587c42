package view

import (
	"encoding/json"
	"slices"
	"strings"

	"pipe/engine/addr"
	"pipe/engine/check"
	"pipe/engine/graph"
	"pipe/engine/plan"
)

// pageData is what the page is drawn from, as JSON.
type pageData struct {
	Pipeline    string      `json:"pipeline"`
	Environment string      `json:"environment"`
	Title       string      `json:"title"`
	Identity    string      `json:"identity"`
	Summary     string      `json:"summary"`
	Width       int         `json:"width"` // of a node
	Height      int         `json:"height"`
	Nodes       []pageNode  `json:"nodes"`
	Edges       []int       `json:"edges"` // three numbers each: from, to, and what kind
	Sections    []pageList  `json:"sections"`
	Variables   [][2]string `json:"variables"`
	Since       *pageSince  `json:"since,omitempty"`
}

// The kinds of edges.
const (
	carries = iota // data
	orders         // depends_on: only the order
	through        // over nodes that do not change, from a plan file, which does not name them
)

type pageNode struct {
	Address string      `json:"a"`
	Type    string      `json:"t,omitempty"`
	Kind    string      `json:"k"`
	Action  string      `json:"s"`
	X       int         `json:"x"`
	Y       int         `json:"y"`
	Detail  *pageDetail `json:"d,omitempty"`
}

// pageDetail is what the page says of a change.
type pageDetail struct {
	Note        string       `json:"note,omitempty"`
	Certainty   string       `json:"certainty"`
	Cached      bool         `json:"cached,omitempty"`
	Blast       int          `json:"blast,omitempty"`
	Description string       `json:"description,omitempty"`
	Reasons     []pageReason `json:"reasons,omitempty"`
	Checks      [][2]string  `json:"checks,omitempty"` // severity and what is expected
	Inputs      [][3]string  `json:"inputs,omitempty"` // label, address, digest
	Estimate    string       `json:"estimate,omitempty"`
	Options     [][2]string  `json:"options,omitempty"`
}

type pageReason struct {
	Text   string `json:"text"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// pageList is a section of the list of changes: groups of nodes by their number.
type pageList struct {
	Title  string      `json:"title"`
	Danger int         `json:"danger"`
	Total  int         `json:"total"`
	Groups []pageGroup `json:"groups"`
}

type pageGroup struct {
	Nodes []int  `json:"n"`
	Block string `json:"b,omitempty"` // of more than one
}

type pageSince struct {
	Old    string `json:"old"`
	Counts string `json:"counts"`
	Notes  []note `json:"notes"`
}

// pageDataOf gathers all that the page shows. g may be nil: then the nodes are those that the plan names.
func pageDataOf(p *plan.Plan, g *graph.Graph, since *Since) pageData {
	var summary strings.Builder
	PlanSummary(&summary, p, Style{})
	d := pageData{Pipeline: p.Pipeline, Environment: p.Environment, Title: title(p, Style{}), Identity: string(p.Digest()),
		Summary: strings.TrimSpace(summary.String()), Width: nodeWidth, Height: nodeHeight, Nodes: []pageNode{}, Edges: []int{},
		Sections: []pageList{}, Variables: [][2]string{}}
	if !p.HasChanges() {
		d.Summary = nothing(p)
	}
	draw := drawing{at: map[addr.Addr]int{}, joined: map[[2]int]bool{}}
	if g != nil {
		draw.graph(g)
	}
	draw.plan(p)
	blast := blastRadius(p)
	for i := range p.Changes {
		draw.nodes[draw.at[p.Changes[i].Address]].Detail = detailOf(&p.Changes[i], p.Mode, blast[i])
	}
	for i, at := range arrange(draw.up) {
		draw.nodes[i].X, draw.nodes[i].Y = at.x, at.y
	}
	d.Nodes, d.Edges = append(d.Nodes, draw.nodes...), append(d.Edges, draw.edges...)
	d.list(p, draw.at)
	for _, name := range sortedKeys(p.Variables) {
		d.Variables = append(d.Variables, [2]string{name, variable(p.Variables[name])})
	}
	if since != nil {
		d.Since = &pageSince{Old: since.Old.Short(), Counts: since.counts(), Notes: since.notes()}
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (d *pageData) list(p *plan.Plan, at map[addr.Addr]int) {
	by := make([]pageList, dangers)
	for _, g := range groups(p) {
		s := &by[g.danger]
		s.Total += len(g.changes)
		pg := pageGroup{}
		if len(g.changes) > 1 {
			pg.Block = g.changes[0].Address.Block().String()
		}
		for _, c := range g.changes {
			pg.Nodes = append(pg.Nodes, at[c.Address])
		}
		s.Groups = append(s.Groups, pg)
	}
	for k, s := range by {
		if s.Total > 0 {
			s.Title, s.Danger = titleOf(danger(k)), k
			d.Sections = append(d.Sections, s)
		}
	}
}

// drawing gathers nodes and edges, each once.
type drawing struct {
	at     map[addr.Addr]int
	nodes  []pageNode
	up     [][]int
	edges  []int
	joined map[[2]int]bool
}

// node returns the number of a node; one that is new is unchanged until a change says otherwise.
func (d *drawing) node(a addr.Addr, typ string) int {
	i, known := d.at[a]
	if !known {
		i = len(d.nodes)
		d.at[a] = i
		d.nodes = append(d.nodes, pageNode{Address: a.String(), Type: typ, Kind: string(a.Kind), Action: string(plan.NoOp)})
		d.up = append(d.up, nil)
	}
	return i
}

func (d *drawing) edge(from, to, kind int) {
	if from == to || d.joined[[2]int{from, to}] {
		return
	}
	d.joined[[2]int{from, to}] = true
	d.edges = append(d.edges, from, to, kind)
	d.up[to] = append(d.up[to], from)
}

func (d *drawing) graph(g *graph.Graph) {
	for i := range g.Len() {
		n := g.Node(i)
		d.node(n.Addr, n.Type.Name())
	}
	for i := range g.Len() {
		for _, u := range g.Up(i) {
			kind := orders
			if carriesData(g, u, i) {
				kind = carries
			}
			d.edge(d.at[g.Node(u).Addr], d.at[g.Node(i).Addr], kind)
		}
	}
}

func (d *drawing) plan(p *plan.Plan) {
	known := len(d.nodes) // what came with the graph has all its edges
	for i := range p.Changes {
		c := &p.Changes[i]
		n := &d.nodes[d.node(c.Address, c.Type)]
		n.Type, n.Action = c.Type, string(c.Action)
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		to := d.at[c.Address]
		if to < known {
			continue
		}
		for _, in := range c.Inputs {
			d.edge(d.node(in.Address, ""), to, carries)
		}
		for _, a := range c.DependsOn {
			d.edge(d.node(a, ""), to, orders)
		}
		for _, a := range c.After {
			if c.Action == plan.Delete {
				d.edge(to, d.node(a, ""), carries)
			} else {
				d.edge(d.node(a, ""), to, through)
			}
		}
	}
}

// maxValue is how many bytes of a value the page shows.
const maxValue = 4000

func detailOf(c *plan.Change, mode plan.Mode, blast int) *pageDetail {
	d := &pageDetail{Note: noteOf(c, Style{}), Certainty: string(c.Certainty), Cached: c.Cached, Blast: blast}
	for i := range c.Reasons {
		d.Reasons = append(d.Reasons, pageReasonOf(&c.Reasons[i], mode))
	}
	for i := range c.Expectations {
		e := &c.Expectations[i]
		d.Checks = append(d.Checks, [2]string{string(e.Severity), checkText(e)})
	}
	for _, in := range c.Inputs {
		d.Inputs = append(d.Inputs, [3]string{in.Label, in.Address.String(), in.Digest.Short()})
	}
	if e := c.Estimate; e != nil {
		d.Estimate = "Half of " + Plural(int64(e.Runs), "run", "runs") + " took at most " + seconds(e.SecondsP50) +
			", nine of ten at most " + seconds(e.SecondsP90)
	}
	if o := c.Options; o != nil {
		d.Description = clip(o.Description, maxValue)
		flat, err := json.Marshal(o)
		if err != nil {
			return d
		}
		m := fieldsOf(flat)
		delete(m, "description")
		for _, k := range sortedKeys(m) {
			d.Options = append(d.Options, [2]string{k, short(m[k])})
		}
	}
	return d
}

// checkText spells an expectation: column_values_to_be_between(close): max_value = 2, min_value = 0.5.
func checkText(e *check.Expectation) string {
	m, name := fieldsOf(e.Args), e.Type
	for _, about := range []string{"column", "metric"} {
		if v, ok := m[about]; ok {
			name += "(" + text(v) + ")"
		}
	}
	return name + terms(expectation{Type: e.Type, Args: e.Args})
}

// pageReasonOf keeps the whole values, which a line of text has no room for.
func pageReasonOf(r *plan.Reason, mode plan.Mode) pageReason {
	lines := reason(r, mode, Style{})
	if len(lines) == 0 {
		lines = []string{strings.ReplaceAll(string(r.Code), "_", " ")}
	}
	out := pageReason{Text: lines[0]}
	switch r.Code {
	case plan.ConfigChanged, plan.ExpectationChanged, plan.ExpectationAdded, plan.ExpectationRemoved:
		out.Before, out.After = valueText(r.Before), valueText(r.After)
		if r.Code == plan.ConfigChanged && r.Path != "" {
			out.Text = r.Path
		}
	case plan.PreviousFailure:
		out.After = clip(r.Detail, maxValue)
	}
	return out
}

func valueText(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	if isText(raw) {
		if s := text(raw); s != "" {
			return clip(s, maxValue)
		}
	}
	return clip(string(raw), maxValue)
}
