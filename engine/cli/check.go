package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pipe/engine/check"
	"pipe/engine/view"
)

func (a *app) checkCommand() *cobra.Command {
	var dataset, suite string
	cmd := &cobra.Command{
		Use:   "check --dataset FILE --expectations FILE",
		Short: "Check a file against expectations, without a pipeline",
		Args:  between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dataset == "" || suite == "" {
				return withUsage(cmd, usagef("--dataset and --expectations are both needed"))
			}
			return a.check(cmd, dataset, suite)
		},
	}
	cmd.Flags().StringVar(&dataset, "dataset", "", "`file` with a table: json, ndjson, csv or parquet")
	cmd.Flags().StringVar(&suite, "expectations", "", "`file` with expectations: YAML or JSON")
	return cmd
}

func (a *app) check(cmd *cobra.Command, dataset, suite string) error {
	table, err := a.path(dataset)
	if err != nil {
		return err
	}
	if info, err := os.Stat(table); err != nil {
		return fmt.Errorf("--dataset %s: there is no such file", dataset)
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("--dataset %s: that is no file", dataset)
	}
	file, err := a.path(suite)
	if err != nil {
		return err
	}
	list, err := check.ReadSuite(file, filepath.ToSlash(suite))
	if err != nil {
		return err
	}
	results, err := a.deps.Evaluator.Evaluate(cmd.Context(), check.Subject{Table: table}, list)
	if err != nil {
		return fmt.Errorf("%s: %w", dataset, err)
	}
	if a.json {
		view.NewJSONLines(a.stdout).Checks(dataset, results)
	} else {
		view.Results(a.stdout, results, a.style())
		fmt.Fprintln(a.stdout)
		view.ResultsSummary(a.stdout, results, a.style())
	}
	if len(check.Failed(results)) > 0 {
		return done{ExitRejected}
	}
	return nil
}
