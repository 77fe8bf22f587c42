package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pipe/engine"
	"pipe/engine/stage"
	"pipe/engine/state"
)

// Exit is an exit code. There are no others.
type Exit int

// The exit codes.
const (
	ExitOK          Exit = 0
	ExitError       Exit = 1
	ExitChanges     Exit = 2
	ExitRejected    Exit = 3
	ExitStale       Exit = 4
	ExitLocked      Exit = 5
	ExitRefused     Exit = 6
	ExitUsage       Exit = 64
	ExitInternal    Exit = 70
	ExitInterrupted Exit = 130
)

// exits says what the codes mean, for the help text.
func exits() string {
	table := []struct {
		code Exit
		what string
	}{
		{ExitOK, "success"},
		{ExitError, "error"},
		{ExitChanges, "changes are present (plan --detailed-exitcode only)"},
		{ExitRejected, "an expectation of severity error failed"},
		{ExitStale, "the plan is stale or used"},
		{ExitLocked, "the state is locked"},
		{ExitRefused, "refused by policy, approval or budget"},
		{ExitUsage, "wrong usage"},
		{ExitInternal, "internal error"},
		{ExitInterrupted, "interrupted"},
	}
	var b strings.Builder
	for _, t := range table {
		fmt.Fprintf(&b, "  %3d  %s\n", t.code, t.what)
	}
	return b.String()
}

// done ends a command with a code when everything that there is to say was said.
type done struct{ code Exit }

func (d done) Error() string { return fmt.Sprintf("exit code %d", d.code) }

// usage is a mistake in the arguments.
type usage struct{ err error }

func (u usage) Error() string { return u.err.Error() }
func (u usage) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// exitOf is the code of what a command returned.
func exitOf(err error) Exit {
	var d done
	var u usage
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &d):
		return d.code
	case errors.As(err, &u):
		return ExitUsage
	case errors.Is(err, engine.ErrStale), errors.Is(err, stage.ErrStale), errors.Is(err, state.ErrStale):
		return ExitStale
	case errors.Is(err, engine.ErrRefused):
		return ExitRefused
	case errors.Is(err, state.ErrLocked):
		return ExitLocked
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	}
	return ExitError
}

// codeOf names the kind of an error for --json.
func codeOf(err error) string {
	switch exitOf(err) {
	case ExitUsage:
		return "cli.usage"
	case ExitStale:
		return "engine.stale"
	case ExitRefused:
		return "engine.refused"
	case ExitLocked:
		return "state.locked"
	case ExitInterrupted:
		return "cli.interrupted"
	}
	return "engine.error"
}
