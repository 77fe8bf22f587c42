package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"pipe/engine/view"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [PATH]",
		Short: "Check plan files without looking at state, data or secrets",
		Args:  between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			if a.json {
				view.NewJSONLines(a.stdout).Line(map[string]any{"type": "valid", "pipeline": l.Pipeline.Name, "nodes": l.Graph.Len()})
				return nil
			}
			fmt.Fprintf(a.stdout, "%s is valid: %s.\n", l.Pipeline.Name, view.Plural(int64(l.Graph.Len()), "node", "nodes"))
			return nil
		},
	}
}

// first returns the first argument, or "".
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
