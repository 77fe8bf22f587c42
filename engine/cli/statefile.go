package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/state"
)

func (a *app) statePullCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pull [PATH]",
		Short: "Write the recorded state to standard output, as state push reads it",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, l, err := a.load(first(args), secretsLater)
			if err != nil {
				return err
			}
			snap, err := a.snapshot(cmd.Context(), e, l)
			if err != nil {
				return err
			}
			raw, err := engine.EncodeState(snap)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(raw)
			return err
		},
	}
}

func (a *app) statePushCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "push FILE [PATH]",
		Short: "Replace the recorded state by a file, such as an earlier serial; - reads standard input",
		Args:  between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := a.readArgument(args[0])
			if err != nil {
				return err
			}
			mode := engine.PushSafe
			if force {
				mode = engine.PushForce
			}
			e, l, err := a.load(first(args[1:]), secretsLater)
			if err != nil {
				return err
			}
			snap, err := e.PushState(cmd.Context(), l.Pipeline.Settings, l.Pipeline.Name, raw, mode, a.editOptions(cmd))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.say("pushed", fmt.Sprintf("The state is restored from %s, at serial %d.", args[0], snap.Serial), snap.Serial)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "accept a lower serial, another lineage, or a file that was edited by hand")
	return cmd
}

// readArgument reads the file that an argument names, or standard input.
func (a *app) readArgument(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.deps.Stdin)
	}
	path, err := a.path(name)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("there is no file %s", name)
	}
	return raw, err
}

func (a *app) stateUnlockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock [LOCK] [PATH]",
		Short: "Break the lock of a holder that is gone; without LOCK, say who holds it",
		Args:  between(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			lock, path := first(args), ""
			if len(args) == 2 {
				path = args[1]
			}
			e, l, err := a.load(path, secretsLater)
			if err != nil {
				return err
			}
			store, err := e.StateStore(l.Pipeline.Settings, l.Pipeline.Name)
			if err != nil {
				return err
			}
			if lock == "" {
				return a.sayHolder(cmd, store)
			}
			if err := store.BreakLock(cmd.Context(), lock); err != nil {
				return err
			}
			return a.recordUnlock(cmd, e, l, lock)
		},
	}
}

func (a *app) sayHolder(cmd *cobra.Command, store state.Store) error {
	h, err := store.Holder(cmd.Context())
	if err != nil {
		return err
	}
	if h == nil {
		_, err = fmt.Fprintln(a.stdout, "Nobody holds the lock.")
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "The lock is held by %s.\nIf that process is gone for certain:  pipe state unlock %s\n", h, h.ID)
	return err
}

// recordUnlock writes down that a lock was broken.
func (a *app) recordUnlock(cmd *cobra.Command, e *engine.Engine, l *engine.Loaded, lock string) error {
	snap, err := e.EditState(cmd.Context(), l.Pipeline.Settings, l.Pipeline.Name, a.editOptions(cmd), engine.BrokenLock(lock))
	if err != nil {
		return fmt.Errorf("the lock is broken, but the audit log could not be written: %w", err)
	}
	return a.say("unlocked", "The lock is broken. What its holder still tries to write is refused.", snap.Serial)
}
