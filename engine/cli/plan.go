package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pipe/engine/plan"
)

type planFlags struct {
	reviewFlags
	out         string
	detailed    bool
	refreshOnly bool
	destroy     bool
	rebase      string // a saved plan
}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan [PATH]",
		Short: "Show what apply would do and why, and touch nothing",
		Args:  between(0, 1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.runPlan(cmd, first(args), f) },
	}
	cmd.Flags().StringVar(&f.out, "out", "", "write the plan to `file`, to be applied later as it is")
	f.declare(cmd.Flags())
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 if there are changes")
	cmd.Flags().BoolVar(&f.refreshOnly, "refresh-only", false, "only make good what was materialised or published and is no longer as it was left")
	cmd.Flags().BoolVar(&f.destroy, "destroy", false, "plan to remove everything")
	cmd.Flags().StringVar(&f.rebase, "rebase", "", "plan again what the saved plan `file` is for, and show what differs in meaning")
	return cmd
}

func (f planFlags) mode() (plan.Mode, error) {
	switch {
	case f.refreshOnly && f.destroy:
		return "", usagef("--refresh-only and --destroy exclude each other")
	case f.refreshOnly:
		return plan.RefreshOnly, nil
	case f.destroy:
		return plan.Destroy, nil
	}
	return plan.Normal, nil
}

func (a *app) runPlan(cmd *cobra.Command, path string, f planFlags) error {
	mode, err := f.mode()
	if err != nil {
		return err
	}
	if err := f.check(a); err != nil {
		return err
	}
	if f.rebase != "" {
		return a.rebase(cmd, path, f)
	}
	old, err := a.earlier(f.reviewFlags)
	if err != nil {
		return err
	}
	_, l, p, err := a.plan(cmd.Context(), path, mode)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := a.savePlan(p, f.out); err != nil {
			return err
		}
	}
	if err := a.review(p, old, l.Graph, f.reviewFlags); err != nil {
		return err
	}
	if f.out != "" && f.format == formatText && !a.json {
		a.saved(p, f.out)
	}
	if f.detailed && p.HasChanges() {
		return done{ExitChanges}
	}
	return nil
}

func (a *app) savePlan(p *plan.Plan, out string) error {
	b, err := p.Encode()
	if err != nil {
		return err
	}
	path, err := a.path(out)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return usagef("--out %s: that is a directory", out)
	}
	if filepath.Ext(path) == ".hcl" {
		return usagef("--out %s: a name that ends in .hcl is a plan file's, choose another", out)
	}
	if err := writeFile(path, b, 0o600); err != nil {
		return fmt.Errorf("--out %s: %w", out, err)
	}
	return nil
}

// saved says what to do with a saved plan.
func (a *app) saved(p *plan.Plan, out string) {
	fmt.Fprintf(a.stdout, "\nThe plan is saved in %s. Apply exactly it with:  pipe apply %s\n", out, out)
	if policy := p.Settings.Approval; policy != nil {
		fmt.Fprintf(a.stdout, "It needs %s first:  pipe approve %s --key FILE\n", plural(policy.Required, "approval"), out)
	}
}
