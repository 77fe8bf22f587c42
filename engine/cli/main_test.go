package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pipe/engine"
	"pipe/engine/state"
)

func TestPanicIsInternalError(t *testing.T) {
	var out bytes.Buffer
	code := guarded(&out, func() Exit { panic("the roof is on fire") })
	if code != ExitInternal {
		t.Errorf("exit code %d", code)
	}
	text := out.String()
	if !strings.HasPrefix(text, "Internal error: the roof is on fire\n") || !strings.Contains(text, "TestPanicIsInternalError") {
		t.Errorf("got\n%s", text)
	}
	if strings.Contains(text, "goroutine") || strings.Contains(text, "/engine/cli/") && strings.Contains(text, ".go:") && strings.Contains(text, "(/") {
		t.Errorf("the report has paths of the machine that built it:\n%s", text)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Exit
	}{
		{nil, ExitOK},
		{errors.New("x"), ExitError},
		{done{ExitRejected}, ExitRejected},
		{fmt.Errorf("x: %w", engine.ErrStale), ExitStale},
		{fmt.Errorf("x: %w", state.ErrStale), ExitStale},
		{fmt.Errorf("x: %w", &state.LockedError{}), ExitLocked},
		{usagef("x"), ExitUsage},
		{fmt.Errorf("y: %w", usagef("x")), ExitUsage},
		{fmt.Errorf("y: %w", context.Canceled), ExitInterrupted},
	} {
		if got := exitOf(c.err); got != c.want {
			t.Errorf("exitOf(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestMainWithoutProcessStreams(t *testing.T) {
	var out, errs bytes.Buffer
	code := Main([]string{"version"}, Deps{Version: "1.2.3", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	if code != 0 || !strings.HasPrefix(out.String(), "pipe 1.2.3 (") || errs.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, out.String(), errs.String())
	}
	if code := Main([]string{"nope"}, Deps{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}); code != int(ExitUsage) {
		t.Errorf("exit code %d", code)
	}
}

// failing is a standard output that is full.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFullOutputIsAnError(t *testing.T) {
	var errs bytes.Buffer
	code := Main([]string{"version"}, Deps{Version: "1", Stdin: strings.NewReader(""), Stdout: failing{}, Stderr: &errs})
	if code != int(ExitError) || errs.String() != "Error: Write to standard output: no space left on device.\n" {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
