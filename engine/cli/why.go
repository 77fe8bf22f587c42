package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/diag"
	"pipe/engine/plan"
	"pipe/engine/state"
	"pipe/engine/view"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why ADDRESS [PATH]",
		Short: "Say why a node would run, or why not: the smallest cause",
		Args:  between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := addr.Parse(args[0])
			if err != nil {
				return usage{err}
			}
			e, l, err := a.load(first(args[1:]), secretsLater)
			if err != nil {
				return err
			}
			a.offline = true
			p, err := a.propose(cmd.Context(), e, l, plan.Normal)
			if err != nil {
				return err
			}
			snap, err := a.snapshot(cmd.Context(), e, l)
			if err != nil {
				return err
			}
			return a.why(l, p, at, snap)
		},
	}
}

func (a *app) why(l *engine.Loaded, p *plan.Plan, at addr.Addr, snap *state.Snapshot) error {
	named := instances(l, p, at)
	if len(named) == 0 {
		return fmt.Errorf("%s is no node of the pipeline, and there is no entry for it.%s", at, diag.DidYouMean(at.String(), names(l)))
	}
	for i, one := range named {
		if a.json {
			view.NewJSONLines(a.stdout).Why(p, one, snap)
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		view.Why(a.stdout, p, one, snap, a.style())
	}
	return nil
}

// instances lists what an address names: itself, or all instances of its block; nodes first, then what is deleted.
func instances(l *engine.Loaded, p *plan.Plan, at addr.Addr) []addr.Addr {
	places, _ := l.Graph.Match([]addr.Addr{at})
	var list []addr.Addr
	for _, i := range places {
		list = append(list, l.Graph.Node(i).Addr)
	}
	for _, c := range p.Changes {
		if c.Action == plan.Delete && (c.Address == at || (!at.Keyed && c.Address.Block() == at)) {
			list = append(list, c.Address)
		}
	}
	return list
}

func names(l *engine.Loaded) []string {
	var list []string
	for i := range l.Graph.Len() {
		list = append(list, l.Graph.Node(i).Addr.String())
	}
	return list
}

// snapshot reads the state of a loaded pipeline.
func (a *app) snapshot(ctx context.Context, e *engine.Engine, l *engine.Loaded) (*state.Snapshot, error) {
	store, err := e.StateStore(l.Pipeline.Settings, l.Pipeline.Name)
	if err != nil {
		return nil, err
	}
	return store.Read(ctx)
}
