package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/artifact"
	"pipe/engine/view"
)

func (a *app) storeCommand() *cobra.Command {
	return a.group("store", "Clean up and verify the store of artifacts", a.storeSweepCommand(), a.storeVerifyCommand())
}

type sweepFlags struct {
	dryRun   bool
	approved bool
	older    time.Duration
}

func (a *app) storeSweepCommand() *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "gc [PATH]",
		Short: "Remove artifacts that no state refers to, of any pipeline and environment of the state directory",
		Args:  between(0, 1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.sweep(cmd, first(args), f) },
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would go")
	cmd.Flags().BoolVar(&f.approved, "auto-approve", false, "do not ask")
	cmd.Flags().DurationVar(&f.older, "older-than", 0, "keep what was used less long ago, such as 168h, in a store that other state directories share")
	return cmd
}

func (a *app) sweep(cmd *cobra.Command, path string, f sweepFlags) error {
	e, l, err := a.load(path, secretsLater)
	if err != nil {
		return err
	}
	mode := artifact.Preview
	o := engine.SweepOptions{Actor: a.actor(), LockTimeout: a.lockTimeout, Grace: f.older}
	if !f.dryRun {
		if err := a.canAsk(applyFlags{approved: f.approved}); err != nil {
			return err
		}
		mode = artifact.Remove
		o.Approve = func(r artifact.SweepReport) (bool, error) { return a.approveSweep(cmd, r, f) }
	}
	report, err := e.SweepStore(cmd.Context(), l.Pipeline.Settings, o)
	if err != nil {
		return err
	}
	switch {
	case a.json:
		view.NewJSONLines(a.stdout).Sweep(report, mode)
	case f.dryRun:
		view.Sweep(a.stdout, report, a.style())
	case report.Artifacts+report.Files+report.Fingerprints > 0:
		fmt.Fprintf(a.stdout, "Removed: %s freed.\n", view.Bytes(report.Bytes))
	}
	return nil
}

// approveSweep shows what would be removed and asks.
func (a *app) approveSweep(cmd *cobra.Command, r artifact.SweepReport, f sweepFlags) (bool, error) {
	if !a.json {
		view.Sweep(a.stdout, r, a.style())
	}
	if r.Artifacts+r.Files+r.Fingerprints == 0 {
		return false, nil
	}
	if f.approved {
		return true, nil
	}
	err := a.ask(cmd.Context(), "Do you want to remove this?")
	return err == nil, err
}

func (a *app) storeVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [PATH]",
		Short: "Hash everything in the store again",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			store, err := e.ArtifactStore(l.Pipeline.Settings)
			if err != nil {
				return err
			}
			report, err := store.Verify(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				view.NewJSONLines(a.stdout).Verify(report)
			} else {
				view.Verify(a.stdout, report, a.style())
			}
			if len(report.Problems) > 0 {
				return done{ExitError}
			}
			return nil
		},
	}
}
