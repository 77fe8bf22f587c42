package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"pipe/engine/view"
)

func (a *app) auditCommand() *cobra.Command {
	return a.group("audit", "Read and verify the log of what was done", a.auditVerifyCommand(), a.auditListCommand())
}

func (a *app) auditVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [PATH]",
		Short: "Prove that no record was changed, taken out or added",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			report, err := e.VerifyAudit(cmd.Context(), l.Pipeline.Settings, l.Pipeline.Name)
			if err != nil {
				return err
			}
			if a.json {
				view.NewJSONLines(a.stdout).AuditReport(report)
				return nil
			}
			if report.Records == 0 {
				_, err = fmt.Fprintln(a.stdout, "The audit log is empty.")
				return err
			}
			view.AuditReport(a.stdout, report)
			return nil
		},
	}
}

func (a *app) auditListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [PATH]",
		Short: "List the records, oldest first",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			records, err := e.AuditRecords(cmd.Context(), l.Pipeline.Settings, l.Pipeline.Name)
			if a.json {
				view.NewJSONLines(a.stdout).Audit(records)
			} else {
				view.Audit(a.stdout, records, a.style())
			}
			return err
		},
	}
}
