package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"pipe/engine/check"
	"pipe/engine/stage"
)

// Deps is what a program brings: the types that its plan files may use, and itself.
type Deps struct {
	Registry  *stage.Registry
	Evaluator check.Evaluator
	Starter   fs.FS // what init writes
	Version   string
	Actor     string // "": the user at this host

	Stdin          io.Reader // nil: those of the process
	Stdout, Stderr io.Writer
}

// Main runs one command and returns the process's exit code. The first interrupt cancels the command's context, which
// stops it in an orderly way; the second makes Main return at once, with whatever is still under way left to the process's
// end.
func Main(args []string, d Deps) int {
	if d.Stdin == nil {
		d.Stdin = os.Stdin
	}
	if d.Stdout == nil {
		d.Stdout = os.Stdout
	}
	if d.Stderr == nil {
		d.Stderr = os.Stderr
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	ended := make(chan Exit, 1)
	go func() { ended <- guarded(d.Stderr, func() Exit { return run(ctx, args, d) }) }()
	interrupts := 0
	for {
		select {
		case code := <-ended:
			return int(code)
		case <-signals:
			if interrupts++; interrupts > 1 {
				return int(ExitInterrupted)
			}
			cancel()
		}
	}
}

// guarded turns a panic into a short report and exit code 70.
func guarded(w io.Writer, fn func() Exit) (code Exit) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		code = ExitInternal
		fmt.Fprintf(w, "Internal error: %v\n\nThis is a mistake in pipe and not in your plan files. Please report it with this text and what you ran.\n\n%s", p, frames())
	}()
	return fn()
}

// frames lists the functions of this module on the panicking stack.
func frames() string {
	pcs := make([]uintptr, 64)
	stack := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for {
		f, more := stack.Next()
		if strings.HasPrefix(f.Function, "pipe/") {
			file := f.File[strings.LastIndexByte(f.File, '/')+1:]
			fmt.Fprintf(&b, "  %s (%s:%d)\n", f.Function, file, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}
