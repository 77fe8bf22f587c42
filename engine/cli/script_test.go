package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pipe/engine/cli"
	"pipe/engine/stage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pipe": func() {
		os.Exit(cli.Main(os.Args[1:], cli.Deps{Registry: stage.NewRegistry(testTypes()...), Evaluator: csvEvaluator{},
			Starter: os.DirFS(os.Getenv("STARTER")), Version: "0.1.0", Actor: "ann@host"}))
	}})
}

// TestScript runs the scripts with the clock stopped, so that what they print is the same everywhere.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE_DATE_EPOCH", "1735689600") // 2025-01-01
			env.Setenv("STARTER", filepath.Join(env.WorkDir, "starter"))
			env.Setenv("GIT_CEILING_DIRECTORIES", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"tidy":      tidy,
			"interrupt": interrupt,
			"awaitfile": awaitFile,
		},
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

// tidy STREAM FILE writes a stream, or a file, to a file, with what is random in it replaced: names of runs after the
// first, lineages, hashes that depend on them, processes.
func tidy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tidy stream file")
	}
	text := ts.ReadFile(args[0])
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	for _, r := range []struct{ pattern, with string }{
		{`(\d{8}T\d{6}Z)-[0-9a-f]{8}`, "$1-XXXXXXXX"},
		{`sha256:[0-9a-f]{64}`, "sha256:XXXX"},
		{`(?m)  [0-9a-f]{12}$`, "  XXXXXXXXXXXX"},
		{`\b[A-Z2-7]{26}\b`, "RANDOM"},
		{`\(pid \d+`, "(pid N"},
		{`"seconds":[0-9.e-]+`, `"seconds":N`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// awaitFile NAME waits until a file exists.
func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	ts.Fatalf("%s does not appear", args[0])
}

// interrupt FILE sends SIGINT to the process whose number a node wrote into the file. interrupt -end FILE goes on until it
// is gone.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[len(args)-1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGINT))
	if args[0] != "-end" {
		return
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if syscall.Kill(pid, syscall.SIGINT) != nil {
			return
		}
	}
	ts.Fatalf("process %d goes on", pid)
}
