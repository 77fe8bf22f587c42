package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"pipe/engine/view"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  between(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if !a.json {
				fmt.Fprintf(a.stdout, "pipe %s (%s, %s/%s)\n", a.deps.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
			view.NewJSONLines(a.stdout).Line(struct {
				Type     string `json:"type"`
				Version  string `json:"version"`
				Revision string `json:"revision,omitempty"`
				Go       string `json:"go"`
				OS       string `json:"os"`
				Arch     string `json:"arch"`
			}{"version", a.deps.Version, buildRevision(), runtime.Version(), runtime.GOOS, runtime.GOARCH})
			return nil
		},
	}
}

// buildRevision is the commit that the binary was built from, as far as the build recorded it.
func buildRevision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
