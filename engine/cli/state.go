package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"pipe/engine"
	"pipe/engine/addr"
	"pipe/engine/view"
)

func (a *app) stateCommand() *cobra.Command {
	return a.group("state", "Look at recorded state, and change it by hand",
		a.stateListCommand(), a.stateShowCommand(), a.stateMoveCommand(), a.stateRemoveCommand(), a.statePullCommand(),
		a.statePushCommand(), a.stateUnlockCommand())
}

func (a *app) stateListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [PATH]",
		Short: "List what is recorded",
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
			if a.json {
				view.NewJSONLines(a.stdout).Entries(snap)
				return nil
			}
			view.Entries(a.stdout, snap, a.style())
			return nil
		},
	}
}

func (a *app) stateShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS [PATH]",
		Short: "Show all that is recorded of one node",
		Args:  between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := addr.Parse(args[0])
			if err != nil {
				return usage{err}
			}
			return a.showEntry(cmd.Context(), at, first(args[1:]))
		},
	}
}

func (a *app) stateMoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "mv FROM TO [PATH]",
		Short: "Give an entry another address",
		Args:  between(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := addr.Parse(args[0])
			if err != nil {
				return usage{err}
			}
			to, err := addr.Parse(args[1])
			if err != nil {
				return usage{err}
			}
			serial, err := a.edit(cmd, first(args[2:]), engine.MoveEntry(from, to))
			if err != nil {
				return err
			}
			return a.say("moved", fmt.Sprintf("%s is now %s; the state is at serial %d.", from, to, serial), serial)
		},
	}
}

func (a *app) stateRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm ADDRESS... [PATH]",
		Short: "Forget entries; what they left outside stays",
		Args:  between(1, 1000),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []addr.Addr
			path := ""
			for i, arg := range args {
				at, err := addr.Parse(arg)
				if err != nil && i > 0 && i == len(args)-1 {
					path = arg
					break
				}
				if err != nil {
					return usage{err}
				}
				list = append(list, at)
			}
			serial, err := a.edit(cmd, path, engine.RemoveEntries(list))
			if err != nil {
				return err
			}
			return a.say("removed", fmt.Sprintf("%s forgotten; the state is at serial %d.", view.Plural(int64(len(list)), "entry", "entries"), serial), serial)
		},
	}
}

// edit changes recorded state and returns its new serial.
func (a *app) edit(cmd *cobra.Command, path string, change engine.Edit) (int64, error) {
	e, l, err := a.load(path, secretsLater)
	if err != nil {
		return 0, err
	}
	snap, err := e.EditState(cmd.Context(), l.Pipeline.Settings, l.Pipeline.Name, a.editOptions(cmd), change)
	if err != nil {
		return 0, err
	}
	return snap.Serial, nil
}

func (a *app) editOptions(cmd *cobra.Command) engine.EditOptions {
	return engine.EditOptions{Actor: a.actor(), SourceRevision: a.revision(cmd.Context()), LockTimeout: a.lockTimeout}
}

// say tells of a change of state that was made.
func (a *app) say(typ, text string, serial int64) error {
	if a.json {
		view.NewJSONLines(a.stdout).Line(struct {
			Type   string `json:"type"`
			Serial int64  `json:"serial"`
		}{"state_" + typ, serial})
		return nil
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}
