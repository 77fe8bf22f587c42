package view

import (
	"fmt"
	"io"
	"time"
)

// Paint says whether text is coloured.
type Paint int

// Plain text, or text with the escape sequences of terminals.
const (
	Plain Paint = iota
	Coloured
)

// Timing says whether measured durations are shown. They differ from run to run, so output that has to be reproducible
// goes without them.
type Timing int

// Measured durations are shown, or Untimed: left out.
const (
	Timed Timing = iota
	Untimed
)

// Style is how text is rendered.
type Style struct {
	Paint  Paint
	Timing Timing
	Width  int // columns of the terminal; 0: not a terminal, lines are as long as they need to be
}

// colour is the parameter of an SGR escape sequence.
type colour string

const (
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

func (s Style) paint(c colour, text string) string {
	if s.Paint != Coloured || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// took renders a measured duration with a text before it, or nothing.
func (s Style) took(before string, seconds float64) string {
	if s.Timing == Untimed {
		return ""
	}
	return before + Duration(time.Duration(seconds*float64(time.Second)))
}

// worth reports whether an expected duration is worth a word: from a second on, and where durations are shown.
func (s Style) worth(expected float64) bool { return s.Timing == Timed && expected >= 1 }

// Error writes a plain error.
func Error(w io.Writer, err error, s Style) {
	fmt.Fprintf(w, "%s %s\n", s.paint(red, "Error:"), Sentence(err.Error()))
}

// Warning writes a line of warning.
func Warning(w io.Writer, text string, s Style) {
	fmt.Fprintf(w, "%s %s\n", s.paint(yellow, "Warning:"), Sentence(text))
}
