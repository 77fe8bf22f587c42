package cli

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"pipe/engine/view"
)

// isTerminal reports whether a stream of the process is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// columnsOf is the width of a terminal, 0 for anything else.
func columnsOf(stream any) int {
	f, ok := stream.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return 0
	}
	if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}

// styleOf is how text is rendered on a stream.
func (a *app) styleOf(w io.Writer) view.Style {
	var s view.Style
	if os.Getenv("TERM") != "dumb" { // it knows no escape sequences
		s.Width = columnsOf(w)
	}
	if s.Width > 0 && !a.noColor && os.Getenv("NO_COLOR") == "" {
		s.Paint = view.Coloured
	}
	if os.Getenv(epochVariable) != "" {
		s.Timing = view.Untimed
	}
	return s
}

// style is how text is rendered on standard output.
func (a *app) style() view.Style { return a.styleOf(a.deps.Stdout) }
