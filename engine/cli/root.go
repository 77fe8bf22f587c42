package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// run builds the commands, runs the one that the arguments name and reports its error.
func run(ctx context.Context, args []string, d Deps) Exit {
	a := &app{deps: d, stderr: d.Stderr}
	out := bufio.NewWriterSize(d.Stdout, 64<<10)
	a.stdout, a.flush = out, out.Flush
	root := a.root()
	root.SetArgs(args)
	root.SetIn(d.Stdin)
	root.SetOut(out)
	root.SetErr(d.Stderr)
	err := root.ExecuteContext(ctx)
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("write to standard output: %w", flushErr)
	}
	a.report(err)
	return exitOf(err)
}

// root is the command pipe with all commands below it.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pipe",
		Short: "Declarative pipelines for data and models",
		Long: `pipe runs declarative pipelines for data and models: it plans what would run and why, runs exactly that,
never does unchanged work twice, and keeps bad data and bad models away from what you publish.

Start with:  pipe init && pipe plan && pipe apply`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Version:           a.deps.Version,
		Args:              unknownCommand,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.readGlobals() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.stderr)
			_ = cmd.Help() // writes to a stream that may be closed
			return done{ExitUsage}
		},
	}
	root.SetVersionTemplate("pipe {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return withUsage(cmd, err) })
	root.SuggestionsMinimumDistance = 2
	root.SetUsageTemplate(strings.TrimRight(root.UsageTemplate(), "\n") + "{{if not .HasParent}}\n\nExit codes:\n" + exits() + "{{else}}\n{{end}}")
	root.SetUsageFunc(plainUsage(root.UsageFunc()))
	a.globalFlags(root.PersistentFlags())
	for _, c := range []*cobra.Command{
		a.initCommand(), a.validateCommand(), a.fmtCommand(), a.planCommand(), a.applyCommand(), a.destroyCommand(),
		a.showCommand(), a.whyCommand(), a.graphCommand(), a.checkCommand(), a.stateCommand(), a.auditCommand(),
		a.storeCommand(), a.approveCommand(), a.versionCommand(), a.completionCommand(root),
	} {
		root.AddCommand(c)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand(root))
	return root
}

// plainUsage takes the values of switches, which nobody writes, out of the usage text.
func plainUsage(usage func(*cobra.Command) error) func(*cobra.Command) error {
	return func(cmd *cobra.Command) error {
		const values = "[=true|false]"
		out := cmd.OutOrStderr()
		var text bytes.Buffer
		cmd.SetOut(&text)
		err := usage(cmd)
		cmd.SetOut(out)
		fmt.Fprint(out, strings.ReplaceAll(text.String(), values, strings.Repeat(" ", len(values))))
		return err
	}
}

// unknownCommand refuses arguments that name no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", similar[0])
	}
	return usagef("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
}

// group is a command that has commands below it and does nothing itself.
func (a *app) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: unknownCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.stderr)
			_ = cmd.Help() // writes to a stream that may be closed
			return done{ExitUsage}
		}}
	g.AddCommand(commands...)
	return g
}

// withUsage is an error that is shown with the command's usage line.
func withUsage(cmd *cobra.Command, err error) error {
	var u usage
	if !errors.As(err, &u) {
		err = usage{err}
	}
	return fmt.Errorf("%w\n\nUsage:\n  %s\n\nRun '%s --help' for the flags", err, cmd.UseLine(), cmd.CommandPath())
}

// between accepts from min to max arguments.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return withUsage(cmd, usagef("too few arguments: %s needs %s", cmd.CommandPath(), plural(least, "argument")))
		case len(args) > most:
			return withUsage(cmd, usagef("too many arguments: %s takes %s", cmd.CommandPath(), atMost(most)))
		}
		return nil
	}
}

func atMost(n int) string {
	if n == 0 {
		return "none"
	}
	return "at most " + plural(n, "argument")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
