package view

import (
	"fmt"
	"strings"

	"pipe/engine/apply"
	"pipe/engine/check"
)

// rows is how the lines of a run are laid out.
type rows struct {
	style   Style
	address int // columns
}

// event renders an event that is worth a line of its own, or gives "".
func (r rows) event(e apply.Event) string {
	switch e.Type {
	case apply.NodeRetry:
		return r.row("retry", yellow, e.Address.String(), fmt.Sprintf("attempt %d failed: %s; again in %s", e.Attempt,
			printable(firstLine(e.Error)), seconds(e.Wait)))
	case apply.NodeFinished:
		return r.row(string(e.Outcome), outcomeColour(e.Outcome), e.Address.String(), finishedNote(e, r.style))
	case apply.Notified:
		if e.Error != "" {
			return r.row("not sent", yellow, e.Address.String(), printable(firstLine(e.Error)))
		}
		return r.row("notified", green, e.Address.String(), "")
	case apply.Stopping:
		return r.style.paint(yellow, "Interrupted: no new node starts. Those that run get time to finish; interrupt again to stop at once.")
	}
	return ""
}

func (r rows) row(word string, c colour, address, note string) string {
	if r.style.Width > 0 {
		note = clip(note, max(20, r.style.Width-len("  unchanged    ")-max(r.address, len(address))))
	}
	line := "  " + r.style.paint(c, pad(word, len("unchanged"))) + "  " + pad(address, r.address) + "  " + note
	return strings.TrimRight(line, " ")
}

func outcomeColour(o apply.Outcome) colour {
	switch o {
	case apply.Ran, apply.Restored, apply.Rechecked:
		return green
	case apply.Failed, apply.Rejected:
		return red
	case apply.Skipped:
		return yellow
	}
	return dim
}

// finishedNote says what a node made, or why it did not.
func finishedNote(e apply.Event, s Style) string {
	switch e.Outcome {
	case apply.Failed:
		return printable(firstLine(e.Error))
	case apply.Rejected:
		return fmt.Sprintf("%d of %d expectations failed", len(check.Failed(e.Results)), len(e.Results))
	case apply.Skipped:
		if e.Cause.IsZero() {
			return printable(firstLine(e.Error))
		}
		return "because of " + e.Cause.String()
	}
	var parts []string
	if e.Rows > 0 {
		parts = append(parts, Plural(e.Rows, "row", "rows"))
	}
	if e.Bytes > 0 {
		parts = append(parts, Bytes(e.Bytes))
	}
	if took := s.took("", e.Seconds); took != "" && e.Outcome == apply.Ran {
		parts = append(parts, took)
	}
	return strings.Join(parts, ", ")
}
