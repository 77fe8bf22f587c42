package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pipe": main})
}

// TestScript runs the program as it is, with its real types, on files of the scripts. The clock stands still.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			repo, err := os.Getwd()
			env.Setenv("REPO", repo)
			env.Setenv("SOURCE_DATE_EPOCH", "1735689600") // 2025-01-01
			env.Setenv("GIT_CEILING_DIRECTORIES", env.WorkDir)
			return err
		},
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "tidy": tidy, "unprivileged": unprivileged},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// exits CODE COMMAND... runs a command and compares its exit code. Its output is in stdout and stderr, as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// unprivileged CODE COMMAND... is exits for a process that permissions bind, also where the tests run as root.
func unprivileged(ts *testscript.TestScript, neg bool, args []string) {
	if os.Geteuid() != 0 {
		exits(ts, neg, args)
		return
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		ts.Fatalf("setpriv is needed to run this script as root")
	}
	command, err := exec.LookPath(args[1])
	if err != nil {
		command = filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[1])
	}
	exits(ts, neg, append([]string{args[0], "setpriv", "--bounding-set=-dac_override,-dac_read_search", command}, args[2:]...))
}

// tidy STREAM FILE writes a stream to a file with what differs from run to run replaced: the directory, names of runs,
// hashes that depend on them, who runs the test.
func tidy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tidy stream file")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "$WORK")
	for _, r := range []struct{ pattern, with string }{
		{`(\d{8}T\d{6}Z)-[0-9a-f]{8}`, "$1-XXXXXXXX"},
		{`\b[A-Z2-7]{26}\b`, "RANDOM"},
		{`Identity: sha256:[0-9a-f]{64}`, "Identity: sha256:XXXX"},
		{`"plan":"sha256:[0-9a-f]{64}`, `"plan":"sha256:XXXX`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
