package view

import (
	"fmt"
	"strings"

	"pipe/engine/apply"
	"pipe/engine/check"
)

// eventLine renders an event that is worth a line of its own, or gives "".
func eventLine(e apply.Event, s Style) string {
	switch e.Type {
	case apply.NodeRetry:
		return row("retry", yellow, e.Address.String(), fmt.Sprintf("attempt %d failed: %s; again in %s", e.Attempt,
			printable(firstLine(e.Error)), seconds(e.Wait)), s)
	case apply.NodeFinished:
		return row(string(e.Outcome), outcomeColour(e.Outcome), e.Address.String(), finishedNote(e, s), s)
	case apply.Notified:
		if e.Error != "" {
			return row("not sent", yellow, e.Address.String(), printable(firstLine(e.Error)), s)
		}
		return row("notified", green, e.Address.String(), "", s)
	case apply.Stopping:
		return s.paint(yellow, "Interrupted: no new node starts. Those that run get time to finish; interrupt again to stop at once.")
	}
	return ""
}

func row(word string, c colour, address, note string, s Style) string {
	line := "  " + s.paint(c, pad(word, len("unchanged"))) + "  " + address
	if note != "" {
		line += "  " + note
	}
	return line
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
