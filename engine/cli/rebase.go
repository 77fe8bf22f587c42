package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/plan"
	"pipe/engine/view"
)

// rebase plans again what a saved plan is for. Where nothing differs in meaning, the saved plan stays what it is, with its
// identity and approvals; otherwise the difference is shown and the new plan, which nobody approved yet, is saved with --out.
func (a *app) rebase(cmd *cobra.Command, path string, f planFlags) error {
	if f.destroy || f.refreshOnly || len(a.targets)+len(a.replace) > 0 {
		return usagef("--rebase plans again for what %s was made: --destroy, --refresh-only, --target and --replace are part of that", f.rebase)
	}
	if f.format != "text" {
		return usagef("--rebase shows a difference as text, or with --json as data: leave --format away")
	}
	oldPath, err := a.path(f.rebase)
	if err != nil {
		return err
	}
	old, err := readPlan(oldPath, f.rebase)
	if err != nil {
		return err
	}
	a.targets, a.replace = old.Targets, old.Requested()
	e, _, next, err := a.plan(cmd.Context(), path, old.Mode)
	if err != nil {
		return err
	}
	if old.Pipeline != next.Pipeline || old.Environment != next.Environment {
		return usagef("%s is a plan of %s in %s, and this is %s in %s", f.rebase, old.Pipeline, old.Environment, next.Pipeline, next.Environment)
	}
	var stale *engine.StaleError
	if err := e.Fits(cmd.Context(), old); err != nil && (!errors.As(err, &stale) || stale.Used) {
		return err
	}
	since := view.Since{Old: old.Digest(), Comparison: plan.Compare(old, next)}
	if since.Comparison.Empty() && stale == nil {
		return a.keepPlan(oldPath, old, f)
	}
	return a.replacePlan(next, since, stale, f)
}

// keepPlan says that a plan holds, and copies it with its approvals if it is to have another name.
func (a *app) keepPlan(oldPath string, old *plan.Plan, f planFlags) error {
	signed, err := readApprovals(oldPath)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := a.savePlan(old, f.out); err != nil {
			return err
		}
		out, err := a.path(f.out)
		if err != nil {
			return err
		}
		if out != oldPath && signed != nil {
			if err := writeFile(out+approvalsSuffix, signed, 0o644); err != nil {
				return fmt.Errorf("--out %s: %w", f.out, err)
			}
		}
	}
	if a.json {
		view.NewJSONLines(a.stdout).Rebased(old.Digest(), old.Digest(), nil, nil)
		return nil
	}
	fmt.Fprintf(a.stdout, "Nothing changed in meaning. %s keeps its identity", f.rebase)
	if signed != nil {
		fmt.Fprint(a.stdout, " and its approvals")
	}
	fmt.Fprintf(a.stdout, ":\n%s\n", old.Digest())
	return nil
}

// replacePlan shows what differs and saves the new plan. Approvals of an earlier plan of that name go away: they are worth
// nothing for this one.
func (a *app) replacePlan(next *plan.Plan, since view.Since, stale *engine.StaleError, f planFlags) error {
	if f.out != "" {
		if err := a.savePlan(next, f.out); err != nil {
			return err
		}
		out, err := a.path(f.out)
		if err != nil {
			return err
		}
		if err := os.Remove(out + approvalsSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	var reads []string
	if stale != nil {
		reads = stale.Reads
	}
	if a.json {
		view.NewJSONLines(a.stdout).Rebased(since.Old, next.Digest(), since.Comparison, reads)
	} else {
		if len(reads) > 0 {
			fmt.Fprintf(a.stdout, "What %s read has changed:\n  %s\n\n", f.rebase, strings.Join(reads, "\n  "))
		}
		view.SincePlan(a.stdout, since, a.style())
		view.PlanSummary(a.stdout, next, a.style())
		view.Identity(a.stdout, next, a.style())
		fmt.Fprintf(a.stdout, "\n%s\n", afterRebase(f))
	}
	if f.detailed {
		return done{ExitChanges}
	}
	return nil
}

func afterRebase(f planFlags) string {
	if f.out == "" {
		return "This is another plan, which nobody reviewed. Save it with --out."
	}
	return fmt.Sprintf("This is another plan, which nobody reviewed. It is saved in %s.", f.out)
}
