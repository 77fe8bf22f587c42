package view

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"pipe/engine/addr"
	"pipe/engine/apply"
	"pipe/engine/diag"
	"pipe/engine/digest"
	"pipe/engine/plan"
)

// JSONLines writes one JSON object a line, each with a "type". It is safe for concurrent use, and a sink of runs.
type JSONLines struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewJSONLines returns a writer of lines to w.
func NewJSONLines(w io.Writer) *JSONLines {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &JSONLines{enc: enc}
}

// Line writes any value that has a "type".
func (j *JSONLines) Line(v any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(v) // plain data; a broken pipe shows at the command's end
}

// Event implements apply.Sink.
func (j *JSONLines) Event(e apply.Event) { j.Line(e) }

// diagnosticLine is one diagnostic.
type diagnosticLine struct {
	Type     string    `json:"type"`
	Severity string    `json:"severity"`
	Code     diag.Code `json:"code,omitempty"`
	Summary  string    `json:"summary"`
	Detail   string    `json:"detail,omitempty"`
	Range    *place    `json:"range,omitempty"`
}

type place struct {
	File  string   `json:"file"`
	Start position `json:"start"`
	End   position `json:"end"`
}

type position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Diagnostics writes a line for each diagnostic.
func (j *JSONLines) Diagnostics(diags hcl.Diagnostics) {
	for _, d := range diags {
		line := diagnosticLine{Type: "diagnostic", Severity: "error", Code: diag.CodeOf(d), Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			line.Severity = "warning"
		}
		if r := d.Subject; r != nil {
			line.Range = &place{r.Filename, position{r.Start.Line, r.Start.Column, r.Start.Byte},
				position{r.End.Line, r.End.Column, r.End.Byte}}
		}
		j.Line(line)
	}
}

// Error writes a plain error as a diagnostic.
func (j *JSONLines) Error(code diag.Code, err error) {
	j.Line(diagnosticLine{Type: "diagnostic", Severity: "error", Code: code, Summary: Sentence(err.Error())})
}

// Warning writes a line of warning as a diagnostic.
func (j *JSONLines) Warning(code diag.Code, text string) {
	j.Line(diagnosticLine{Type: "diagnostic", Severity: "warning", Code: code, Summary: Sentence(text)})
}

// plannedChange is what is worth knowing of a change before it runs.
type plannedChange struct {
	Type      string         `json:"type"`
	Address   addr.Addr      `json:"address"`
	NodeType  string         `json:"node_type"`
	Action    plan.Action    `json:"action"`
	Certainty plan.Certainty `json:"certainty"`
	Cached    bool           `json:"cached"`
	Reasons   []plan.Reason  `json:"reasons"`
	Estimate  *plan.Estimate `json:"estimate,omitempty"`
}

// Plan writes a line for each change, and one for the whole.
func (j *JSONLines) Plan(p *plan.Plan) {
	for _, c := range p.Changes {
		j.Line(plannedChange{"planned_change", c.Address, c.Type, c.Action, c.Certainty, c.Cached, c.Reasons, c.Estimate})
	}
	j.Line(struct {
		Type        string        `json:"type"`
		Plan        digest.Digest `json:"plan"`
		Pipeline    string        `json:"pipeline"`
		Environment string        `json:"environment"`
		Mode        plan.Mode     `json:"mode"`
		Summary     plan.Summary  `json:"summary"`
	}{"plan", p.Digest(), p.Pipeline, p.Environment, p.Mode, p.Summary})
}

// Result writes the end of a run.
func (j *JSONLines) Result(r *apply.Result, p *plan.Plan) {
	j.Line(struct {
		Type string `json:"type"`
		*apply.Result
		Outputs map[string]plan.Variable `json:"outputs,omitempty"`
	}{"result", r, p.Outputs})
}
