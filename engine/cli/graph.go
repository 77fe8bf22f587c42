package cli

import (
	"github.com/spf13/cobra"

	"pipe/engine/view"
)

func (a *app) graphCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph [PATH]",
		Short: "Write the graph of nodes for Graphviz, Mermaid or programs",
		Args:  between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if format != "dot" && format != "mermaid" && format != "json" {
				return usagef("--format %s: use dot, mermaid or json", format)
			}
			_, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			switch format {
			case "dot":
				view.Dot(a.stdout, l.Graph)
			case "mermaid":
				view.Mermaid(a.stdout, l.Graph)
			default:
				return view.GraphJSON(a.stdout, l.Graph)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "dot", "dot, mermaid or json")
	return cmd
}
