package view

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"

	"pipe/engine/graph"
	"pipe/engine/plan"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// Page writes a plan as one HTML file that needs nothing else: the graph, and the changes most dangerous first. The
// policy in the page allows its own style and its own script, by their hashes, and nothing else: text from plan files is
// data to it, and no byte leaves it. g is the graph that the plan was made of; with nil the page draws the nodes that the
// plan names. since may be nil.
func Page(w io.Writer, p *plan.Plan, g *graph.Graph, since *Since) error {
	data, err := json.Marshal(pageDataOf(p, g, since)) // escapes <, >, & and the line ends of JavaScript
	if err != nil {
		return fmt.Errorf("encode the data of the page: %w", err)
	}
	policy := fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		sourceHash(pageCSS), sourceHash(pageJS))
	_, err = strings.NewReplacer(
		"{{policy}}", policy,
		"{{title}}", html.EscapeString(oneLine(p.Pipeline+" in "+p.Environment+": plan "+p.Digest().Short())),
		"{{style}}", pageCSS,
		"{{data}}", string(data),
		"{{script}}", pageJS,
	).WriteString(w, pageHTML)
	return err
}

// sourceHash names an inline style or script in a policy.
func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
