package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"pipe/engine/approval"
)

// approvalsSuffix is put behind the name of a plan file for the file with its approvals.
const approvalsSuffix = ".approvals"

func (a *app) approveCommand() *cobra.Command {
	var key, name string
	cmd := &cobra.Command{
		Use:   "approve PLANFILE --key FILE",
		Short: "Sign a saved plan, or make a key pair for that with --new-key",
		Long: "Sign a saved plan with a private key. The signature is added to PLANFILE" + approvalsSuffix + ", where apply finds it.\n\n" +
			"  pipe approve --new-key alice --key alice.key   makes a key pair, writes the private key and prints the public one\n" +
			"  pipe approve plan.json --key alice.key         approves the plan",
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case key == "":
				return withUsage(cmd, usagef("--key is needed: the file of the private key"))
			case name != "" && len(args) == 0:
				return a.newKey(name, key)
			case name != "" || len(args) == 0:
				return withUsage(cmd, usagef("approve takes either a plan file or --new-key"))
			}
			return a.approve(cmd, args[0], key)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` of the private key")
	cmd.Flags().StringVar(&name, "new-key", "", "make a key pair for the person `name`")
	return cmd
}

func (a *app) newKey(name, file string) error {
	path, err := a.path(file)
	if err != nil {
		return err
	}
	private, public, err := approval.NewKey(name)
	if err != nil {
		return usage{err}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and a private key is not written over anything", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(private + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n", public)
	return nil
}

func (a *app) approve(cmd *cobra.Command, name, keyFile string) error {
	path, err := a.path(name)
	if err != nil {
		return err
	}
	p, err := readPlan(path, name)
	if err != nil {
		return err
	}
	keyPath, err := a.path(keyFile)
	if err != nil {
		return err
	}
	private, err := os.ReadFile(keyPath)
	if err != nil {
		return err
	}
	signed, err := readApprovals(path)
	if err != nil {
		return err
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	out, by, err := e.Approve(cmd.Context(), p, signed, string(private))
	if err != nil {
		return err
	}
	if err := writeFile(path+approvalsSuffix, out, 0o644); err != nil {
		return fmt.Errorf("%s: %w", name+approvalsSuffix, err)
	}
	fmt.Fprintf(a.stdout, "%s approved %s. The approval is in %s.\n", by.Name, p.Digest(), name+approvalsSuffix)
	return nil
}

// readApprovals reads the approvals beside a saved plan, nothing if there are none.
func readApprovals(planPath string) ([]byte, error) {
	b, err := os.ReadFile(planPath + approvalsSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
