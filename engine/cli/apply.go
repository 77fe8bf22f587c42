package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/apply"
	"pipe/engine/plan"
	"pipe/engine/view"
)

type applyFlags struct {
	approved  bool
	resume    bool
	keepGoing bool
}

func (f *applyFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.approved, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&f.keepGoing, "keep-going", false, "after a failure, still run what does not need the failed node")
}

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [PLANFILE or PATH]",
		Short: "Carry out a plan: a saved one as it is, or a new one after asking",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			saved, err := a.path(first(args))
			if err != nil {
				return err
			}
			if len(args) == 1 && isPlanFile(saved) {
				return a.applySaved(cmd.Context(), saved, args[0], f)
			}
			return a.applyPath(cmd.Context(), first(args), plan.Normal, f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.resume, "resume", false, "go on with a saved plan whose run did not end")
	return cmd
}

func (a *app) destroyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "destroy [PATH]",
		Short: "Remove every entry, materialised file and published object of a pipeline",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.applyPath(cmd.Context(), first(args), plan.Destroy, f)
		},
	}
	f.add(cmd)
	return cmd
}

// applySaved carries out a plan that was reviewed before.
func (a *app) applySaved(ctx context.Context, path, name string, f applyFlags) error {
	if len(a.vars)+len(a.varFiles)+len(a.targets)+len(a.replace) > 0 {
		return usagef("--var, --var-file, --target and --replace are part of a plan when it is made: %s is applied as it is", name)
	}
	p, err := readPlan(path, name)
	if err != nil {
		return err
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	if !a.json {
		view.PlanSummary(a.stdout, p, a.style())
		view.Identity(a.stdout, p, a.style())
	}
	o := a.applyOptions(ctx, f)
	o.Saved, o.Resume = true, f.resume
	if o.Approvals, err = readApprovals(path); err != nil {
		return err
	}
	return a.execute(ctx, e, p, o)
}

// applyPath plans under the lock, asks, and carries the plan out.
func (a *app) applyPath(ctx context.Context, path string, mode plan.Mode, f applyFlags) error {
	e, l, err := a.load(path, needSecrets)
	if err != nil {
		return err
	}
	if err := a.canAsk(f); err != nil {
		return err
	}
	lease, err := e.Lock(ctx, l.Pipeline.Settings, l.Pipeline.Name, a.actor(), operation(mode), a.lockTimeout)
	if err != nil {
		return err
	}
	defer lease.Release()
	p, err := a.propose(ctx, e, l, mode)
	if err != nil {
		return err
	}
	if a.json {
		view.NewJSONLines(a.stdout).Plan(p)
	} else {
		view.Plan(a.stdout, p, a.style())
	}
	if p.HasChanges() && !f.approved {
		if err := a.ask(ctx, question(mode)); err != nil {
			return err
		}
	}
	o := a.applyOptions(ctx, f)
	o.Lease = lease
	return a.execute(ctx, e, p, o)
}

func operation(mode plan.Mode) string {
	if mode == plan.Destroy {
		return "destroy"
	}
	return "apply"
}

// canAsk refuses early, before anything is locked, where nobody can answer.
func (a *app) canAsk(f applyFlags) error {
	if f.approved {
		return nil
	}
	if a.json || !isTerminal(a.deps.Stdin) {
		return fmt.Errorf("nobody can be asked for approval here: pass --auto-approve, or save a plan with plan --out, review it and apply the file")
	}
	return nil
}

func question(mode plan.Mode) string {
	if mode == plan.Destroy {
		return "Do you really want to destroy all of this? It cannot be undone."
	}
	return "Do you want to perform these actions?"
}

// ask wants the word yes.
func (a *app) ask(ctx context.Context, question string) error {
	fmt.Fprintf(a.stdout, "\n%s Only 'yes' is accepted: ", question)
	if err := a.flush(); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.deps.Stdin).ReadString('\n') // the end of the input is no yes
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stdout)
		return ctx.Err()
	case line := <-answer:
		if line != "yes" {
			return fmt.Errorf("not approved: nothing was done")
		}
	}
	return nil
}

func (a *app) applyOptions(ctx context.Context, f applyFlags) engine.ApplyOptions {
	return engine.ApplyOptions{Parallelism: a.parallelism, KeepGoing: f.keepGoing, LockTimeout: a.lockTimeout,
		Actor: a.actor(), SourceRevision: a.revision(ctx)}
}

// execute carries out a plan, shows how it goes on and how it ended.
func (a *app) execute(ctx context.Context, e *engine.Engine, p *plan.Plan, o engine.ApplyOptions) error {
	if err := a.flush(); err != nil {
		return err
	}
	var res *apply.Result
	var err error
	if a.json {
		lines := view.NewJSONLines(a.deps.Stdout)
		o.Sink = lines
		if res, err = e.Apply(ctx, p, o); err == nil {
			lines.Result(res, p)
		}
	} else {
		res, err = a.executeShown(ctx, e, p, o)
	}
	if err != nil {
		return err
	}
	for _, w := range res.Warnings {
		a.warn("apply.warning", w)
	}
	return verdict(res)
}

func (a *app) executeShown(ctx context.Context, e *engine.Engine, p *plan.Plan, o engine.ApplyOptions) (*apply.Result, error) {
	if p.HasChanges() {
		io.WriteString(a.deps.Stdout, "\n")
	}
	progress := view.NewProgress(a.deps.Stdout, p, a.style())
	o.Sink = progress
	res, err := e.Apply(ctx, p, o)
	progress.Close()
	if err == nil && (p.HasChanges() || len(res.Nodes) > 0) {
		view.Result(a.stdout, res, p, a.style())
	}
	return res, err
}

// verdict is the exit code of a run.
func verdict(res *apply.Result) error {
	switch {
	case res.Outcome == apply.Interrupted:
		return done{ExitInterrupted}
	case res.Count(apply.Rejected) > 0:
		return done{ExitRejected}
	case slices.ContainsFunc(res.Nodes, func(n apply.NodeResult) bool { return n.Stale }):
		return done{ExitStale}
	case res.Outcome != apply.Succeeded:
		return done{ExitError}
	}
	return nil
}
