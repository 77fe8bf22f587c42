package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pipe/engine/addr"
	"pipe/engine/audit"
	"pipe/engine/view"
)

func (a *app) showCommand() *cobra.Command {
	var run string
	var f reviewFlags
	cmd := &cobra.Command{
		Use:   "show [PLANFILE|RUN|ADDRESS|last] [PATH]",
		Short: "Show a saved plan, a run, a node's record, or (the default) the last run and all that is recorded",
		Args:  between(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(a); err != nil {
				return err
			}
			what, path := first(args), ""
			if len(args) == 2 {
				path = args[1]
			}
			if run != "" && f.given() {
				return usagef("--format and --since show a saved plan, not a run")
			}
			if run == "last" {
				return a.showState(cmd.Context(), what)
			}
			if run != "" {
				return a.showRun(cmd.Context(), run, what)
			}
			abs, err := a.path(what)
			if err != nil {
				return err
			}
			if what != "" && what != "last" && isPlanFile(abs) {
				return a.showPlanFile(abs, what, f)
			}
			if f.given() {
				return usagef("--format and --since show a saved plan: name its file")
			}
			switch {
			case what == "" || what == "last":
				return a.showState(cmd.Context(), path)
			case isPipeline(abs) && len(args) == 1:
				return a.showState(cmd.Context(), what)
			}
			if at, err := addr.Parse(what); err == nil {
				return a.showEntry(cmd.Context(), at, path)
			}
			return a.showRun(cmd.Context(), what, path)
		},
	}
	f.declare(cmd.Flags())
	cmd.Flags().StringVar(&run, "run", "", "show this run, or the `last` one")
	return cmd
}

// isPipeline reports whether a path is a directory or a plan file.
func isPipeline(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || strings.HasSuffix(path, ".hcl"))
}

func (a *app) showPlanFile(path, name string, f reviewFlags) error {
	p, err := readPlan(path, name)
	if err != nil {
		return err
	}
	old, err := a.earlier(f)
	if err != nil {
		return err
	}
	return a.review(p, old, nil, f)
}

func (a *app) showState(ctx context.Context, path string) error {
	e, l, err := a.load(path, secretsLater)
	if err != nil {
		return err
	}
	snap, err := a.snapshot(ctx, e, l)
	if err != nil {
		return err
	}
	if a.json {
		view.NewJSONLines(a.stdout).Snapshot(snap)
		return nil
	}
	view.Snapshot(a.stdout, snap, a.style())
	return nil
}

func (a *app) showEntry(ctx context.Context, at addr.Addr, path string) error {
	e, l, err := a.load(path, secretsLater)
	if err != nil {
		return err
	}
	snap, err := a.snapshot(ctx, e, l)
	if err != nil {
		return err
	}
	entry, failure := snap.Entries[at], snap.Failures[at]
	if entry == nil && failure == nil {
		return fmt.Errorf("nothing is recorded of %s: state list shows what there is", at)
	}
	if a.json {
		view.NewJSONLines(a.stdout).Entry(entry, failure)
		return nil
	}
	if entry != nil {
		view.Entry(a.stdout, entry, a.style())
	}
	if failure != nil {
		view.Failure(a.stdout, failure, a.style())
	}
	return nil
}

// showRun shows what the audit log has of a run.
func (a *app) showRun(ctx context.Context, run, path string) error {
	e, l, err := a.load(path, secretsLater)
	if err != nil {
		return err
	}
	records, err := e.AuditRecords(ctx, l.Pipeline.Settings, l.Pipeline.Name)
	if err != nil {
		return err
	}
	var list []audit.Record
	for _, r := range records {
		if r.Run == run {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("%q is no saved plan, no run, no address and no path: audit list shows the runs", run)
	}
	if a.json {
		view.NewJSONLines(a.stdout).Audit(list)
		return nil
	}
	view.RunRecords(a.stdout, list, a.style())
	return nil
}
