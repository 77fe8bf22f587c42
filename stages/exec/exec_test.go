package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
)

const secretValue = "s3cr3t-value-of-a-token"

// sh is a case that runs a shell script, which stands in a declared file.
func sh(name, script, config string) stagetest.Case {
	return stagetest.Case{
		Name: name, Config: "command = [\"sh\", \"run.sh\"]\nfiles = [\"run.sh\"]\n" + config,
		WorkFiles: map[string]string{"run.sh": "set -eu\n" + script, "lib/a.txt": "A", "lib/deep/b.txt": "B"},
		Getenv:    map[string]string{"TOKEN": secretValue, "PIN": "1234", "HOME": "/home/someone"},
		Upstreams: map[string]stagetest.Upstream{
			"stage.bars":               stagetest.Table("canonical.json", `[{"a": 1}]`, 1),
			"stage.files":              {Files: map[string]string{"sub/x.bin": "X"}},
			`stage.months["2025-01"]`:  stagetest.Table("data.csv.gz", "", 1),
			`stage.months["2025-02"]`:  stagetest.Table("data.csv", "a\n2\n", 1),
			`stage.months["2025/03x"]`: stagetest.Table("data.csv", "a\n2\n", 1),
		},
	}
}

func with(c stagetest.Case, check func(*testing.T, stagetest.Result)) stagetest.Case {
	c.Check = check
	return c
}

func holdsText(name, want string) func(*testing.T, stagetest.Result) {
	return func(t *testing.T, r stagetest.Result) {
		t.Helper()
		if d := cmp.Diff(want, r.File(t, name)); d != "" {
			t.Error(d)
		}
	}
}

func fails(c stagetest.Case, attr, want string) stagetest.Case {
	c.WantAttr, c.WantErr = attr, want
	return c
}

// bare is a case without a script.
func bare(name, config string) stagetest.Case {
	c := sh(name, "", "")
	c.Config = config
	return c
}

func TestType(t *testing.T) {
	one := `outputs = { out = "out.txt" }` + "\n"
	stagetest.Run(t, Type(),
		with(sh("inputs, table and metrics", `
			cat "$PIPE_INPUT_bars" > "$PIPE_OUTPUT_table"
			cat "$PIPE_INPUT_files/sub/x.bin" > more/x.bin
			echo '{"auc": 0.75, "n": 3}' > scores.json`, `
			inputs  = { bars = stage.bars, files = stage.files }
			outputs = { table = "table.json", x = "more/x.bin", scores = "scores.json" }
			metrics = "scores"`), func(t *testing.T, r stagetest.Result) {
			if d := cmp.Diff([]string{"more/x.bin", "scores.json", "table.json"}, r.Files); d != "" {
				t.Error(d)
			}
			if r.Main != "table.json" || r.Rows != 1 || r.Metrics["auc"] != 0.75 || r.Metrics["n"] != 3 || r.File(t, "more/x.bin") != "X" {
				t.Errorf("got %+v", r.Info)
			}
		}),
		with(bare("arguments are expanded without a shell", "inputs = { bars = stage.bars }\n"+one+`command = ["sh", "-c", "printf '%s\n' \"$@\" > \"$0\"", "$PIPE_OUTPUT_out", "--bars=$PIPE_INPUT_bars", "$PIPE_INPUT_DIR_bars;$HOME $(id)", "$${PIPE_OUTPUT_out}.tmp"]`),
			holdsText("out.txt", "--bars=.pipe/in/bars.json\n.pipe/dir/bars;$HOME $(id)\nout.txt.tmp\n")),
		with(sh("collections are directories", `ls "$PIPE_INPUT_m" > out.txt; ls "$PIPE_INPUT_DIR_m" >> out.txt; cat "$PIPE_INPUT_m/2025-02.csv" >> out.txt`,
			one+`inputs = { m = { "2025-01" = stage.months["2025-01"], "2025-02" = stage.months["2025-02"] } }`),
			holdsText("out.txt", "2025-01.csv.gz\n2025-02.csv\n2025-01\n2025-02\na\n2\n")),
		with(sh("lists are directories", `ls "$PIPE_INPUT_m" > out.txt`, one+`inputs = { m = [stage.bars, stage.bars] }`), holdsText("out.txt", "0.json\n1.json\n")),
		with(sh("the environment is not pipe's", `env | sed 's/=.*run$/=DIR/; s/=.*tmp$/=DIR/' | grep -v '^_\|^PWD\|^OLDPWD\|^SHLVL' | LC_ALL=C sort > out.txt`,
			one+`env = { TZ = "Asia/Tokyo", EXTRA = "a b" }`),
			holdsText("out.txt", "EXTRA=a b\nHOME=DIR\nLANG=C.UTF-8\nPATH="+systemPath+"\nPIPE_OUTPUT_out=out.txt\nTMPDIR=DIR\nTZ=Asia/Tokyo\n")),
		with(bare("the directory holds declared files alone", one+`files = ["run.sh", "lib/**/*.txt"]`+"\ncommand = [\"sh\", \"-c\", \"find . -type f | LC_ALL=C sort > ../listing; mv ../listing out.txt\"]"),
			holdsText("out.txt", "./lib/a.txt\n./lib/deep/b.txt\n./run.sh\n")),
		with(sh("secrets reach the program", `test "$TOKEN" = `+secretValue+` && echo yes > out.txt`, one+`env = { TOKEN = secret("TOKEN") }`), holdsText("out.txt", "yes\n")),
		with(sh("several tables are none", `echo a > a.csv; echo b > b.csv`, `outputs = { a = "a.csv", b = "b.csv" }`), func(t *testing.T, r stagetest.Result) {
			if r.Main != "" {
				t.Errorf("the table is %s", r.Main)
			}
		}),
		with(sh("one of several tables", `printf 'x\n1\n2\n' > a.csv; echo b > b.csv`, `outputs = { a = "a.csv", b = "b.csv" }`+"\ntable = \"a\""), func(t *testing.T, r stagetest.Result) {
			if r.Main != "a.csv" || r.Rows != 2 {
				t.Errorf("got %+v", r.Info)
			}
		}),
		with(sh("a document is no table", `echo ' {"a": [1]}' > a.json`, `outputs = { a = "a.json" }`), func(t *testing.T, r stagetest.Result) {
			if r.Main != "" {
				t.Errorf("the table is %s", r.Main)
			}
		}),
		with(sh("what is not declared is thrown away", `echo x > junk; echo y > out.txt`, one), func(t *testing.T, r stagetest.Result) {
			if d := cmp.Diff([]string{"out.txt"}, r.Files); d != "" {
				t.Error(d)
			}
		}),

		fails(sh("exit code", `echo before; echo "token $TOKEN and $PIN" >&2; exit 3`, one+`env = { TOKEN = secret("TOKEN"), PIN = secret("PIN") }`), "",
			"sh ended with exit code 3. It wrote last:\nbefore\ntoken *** and ***"),
		fails(sh("exit code in silence", `exit 4`, one), "", "sh ended with exit code 4 and wrote nothing"),
		fails(sh("signal", `kill -KILL $$`, one), "", `sh was ended by the signal "killed", perhaps for want of memory`),
		fails(sh("only the last lines", `for i in $(seq 40000); do echo line $i; done; exit 1`, one), "", "It wrote last:\nline 39981\n"),
		fails(sh("missing output", `echo x > ou.txt`, one), "", `the program ended well and did not write its output "out": there is no out.txt. In its directory are ou.txt, run.sh`),
		fails(sh("an output that leads out", `ln -s /etc/hostname out.txt`, one), "", "out.txt is a link out of the program's directory"),
		fails(sh("an output that is a directory", `mkdir out.txt`, one), "", "out.txt is no file"),
		fails(sh("an output with a secret", `echo "x $TOKEN y" > out.txt`, one+`env = { TOKEN = secret("TOKEN") }`), "", `output "out" holds the value of a secret`),
		fails(sh("secret that is not set", ``, one+`env = { T = secret("NOT_SET") }`), "", "the environment variable NOT_SET"),
		fails(sh("a table that is none", `printf 'a,b\n1\n' > a.csv`, `outputs = { a = "a.csv" }`), "", "the table: a.csv, line 2: the row has 1 field"),
		fails(sh("metrics that are none", `echo '{"a": {"b": 1}}' > a.json`, `outputs = { a = "a.json" }`+"\nmetrics = \"a\""), "", `metrics, output "a": a.json: "a" is no number`),
		fails(sh("metrics that are no object", `echo '[1]' > a.json`, `outputs = { a = "a.json" }`+"\nmetrics = \"a\""), "", `metrics, output "a": a.json is no JSON object of numbers`),
		fails(bare("no such program", one+`command = ["no-such-program"]`), "", "there is no program no-such-program in "+systemPath+": name it by its path, or set PATH in env"),
		fails(bare("a declared file as a program", one+"command = [\"run.sh\"]\nfiles = [\"run.sh\"]"), "", "write ./run.sh to run the declared file"),
		fails(bare("a program that is not executable", one+"command = [\"./run.sh\"]\nfiles = [\"run.sh\"]"), "", "the program ./run.sh cannot be run: it is not executable"),
		fails(bare("no command", one+`command = []`), "command", "the command is empty"),
		fails(bare("an unknown variable", one+`command = ["x", "$PIPE_INPUT_bar"]`+"\ninputs = { bars = stage.bars }"), "command[1]",
			"$PIPE_INPUT_bar stands for nothing: known are $PIPE_INPUT_DIR_bars, $PIPE_INPUT_bars, $PIPE_OUTPUT_out"),
		fails(bare("no outputs", `command = ["true"]`+"\noutputs = {}"), "outputs", "there is no output"),
		fails(bare("an output outside", `command = ["true"]`+"\noutputs = { a = \"../x\" }"), `outputs["a"]`, `output "a" is "../x", and must be a plain path below the program's directory`),
		fails(bare("an absolute output", `command = ["true"]`+"\noutputs = { a = \"/tmp/x\" }"), `outputs["a"]`, "must be a plain path"),
		fails(bare("an output of pipe's", `command = ["true"]`+"\noutputs = { a = \".pipe/x\" }"), `outputs["a"]`, "must be a plain path"),
		fails(bare("two outputs in one file", `command = ["true"]`+"\noutputs = { a = \"x\", b = \"x\" }"), `outputs["b"]`, `the outputs "a" and "b" are the same file`),
		fails(bare("an output that is declared", `command = ["true"]`+"\nfiles = [\"run.sh\"]\noutputs = { a = \"run.sh\" }"), `outputs["a"]`, `output "a" is the declared file run.sh`),
		fails(bare("no such file", one+"command = [\"true\"]\nfiles = [\"runn.sh\"]"), "files", "there is no file runn.sh (did you mean run.sh?)"),
		fails(bare("an unknown table", one+"command = [\"true\"]\ntable = \"x\""), "table", `"x" is no output: the outputs are out`),
		fails(bare("a variable of pipe's", one+"command = [\"true\"]\nenv = { PIPE_X = \"1\" }"), "env.PIPE_X", `"PIPE_X" cannot name a variable`),
		fails(bare("a variable of a wrong type", one+"command = [\"true\"]\nenv = { A = [1] }"), "env.A", "the variable A is tuple, and must be a string or secret"),
		fails(bare("an input of a wrong type", one+"command = [\"true\"]\ninputs = { a = 1 }"), "inputs.a", `input "a" must be a reference such as stage.bars`),
		fails(bare("an input with an odd name", one+"command = [\"true\"]\ninputs = { \"a-b\" = stage.bars }"), "inputs.a-b", `"a-b" cannot name an input`),
		fails(bare("a key that names no file", one+"command = [\"true\"]\ninputs = { m = { k = stage.months[\"2025-02\"], \"a/b\" = stage.bars } }"), "", `the key "a/b" cannot name a file`),
	)
}

// decode makes a runner of a configuration.
func decode(t *testing.T, config string) stage.Runner {
	t.Helper()
	v, err := stagetest.Decode(Type(), config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Type().Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func world(t *testing.T, script string) stage.Env {
	t.Helper()
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "run.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return stage.Env{Log: hclog.NewNullLogger(), WorkDir: work, Scratch: t.TempDir(), Getenv: func(string) (string, bool) { return "", false }}
}

const simple = "command = [\"sh\", \"run.sh\"]\nfiles = [\"run.sh\"]\noutputs = { out = \"out.txt\" }"

func TestObservation(t *testing.T) {
	o := decode(t, simple).(stage.Observer)
	env := world(t, "echo 1")
	one, err := o.Observe(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	two, err := o.Observe(t.Context(), world(t, "echo 2"))
	if err != nil || one == two {
		t.Errorf("another script has the same observation (%v)", err)
	}
	if same, err := o.Observe(t.Context(), world(t, "echo 1")); err != nil || one != same {
		t.Errorf("the same script in another place has another observation (%v)", err)
	}
	if err := os.Chmod(filepath.Join(env.WorkDir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if x, err := o.Observe(t.Context(), env); err != nil || one == x {
		t.Errorf("an executable script has the same observation (%v)", err)
	}
}

func TestChangedSincePlanned(t *testing.T) {
	r := decode(t, simple)
	seen, err := r.(stage.Observer).Observe(t.Context(), world(t, "echo 1"))
	if err != nil {
		t.Fatal(err)
	}
	env := world(t, "touch ../ran; echo 2 > out.txt")
	env.Observed = seen
	err = r.Run(t.Context(), env, nil, &stage.Output{Dir: t.TempDir()})
	if !errors.Is(err, stage.ErrChanged) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(env.Scratch, "ran")); err == nil {
		t.Error("the program ran")
	}
}

// A program that is stopped is asked to end, may clean up, and takes its children with it.
func TestStopped(t *testing.T) {
	env := world(t, `trap 'echo cleaned > ../cleaned; exit 0' TERM; sleep 60 & echo $! > ../child; touch ../ready; wait`)
	err, took := stopWhenReady(t, env)
	if !errors.Is(err, context.Canceled) || took > 4*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	if _, err := os.Stat(filepath.Join(env.Scratch, "cleaned")); err != nil {
		t.Error("the program had no time to clean up")
	}
	gone(t, filepath.Join(env.Scratch, "child"))
}

// One that takes no notice is killed, with its children.
func TestKilled(t *testing.T) {
	env := world(t, `trap '' TERM; sh -c 'trap "" TERM; while true; do sleep 0.1; done' & echo $! > ../child; touch ../ready; while true; do sleep 0.1; done`)
	err, took := stopWhenReady(t, env)
	if !errors.Is(err, context.Canceled) || took < patience || took > patience+4*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	gone(t, filepath.Join(env.Scratch, "child"))
}

// Children that are left behind end with the program.
func TestLeftBehind(t *testing.T) {
	env := world(t, `sleep 60 & echo $! > ../child; echo done > out.txt`)
	start := time.Now()
	if err := decode(t, simple).Run(t.Context(), env, nil, &stage.Output{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	gone(t, filepath.Join(env.Scratch, "child"))
}

func stopWhenReady(t *testing.T, env stage.Env) (error, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- decode(t, simple).Run(ctx, env, nil, &stage.Output{Dir: t.TempDir()}) }()
	for range 100 {
		if _, err := os.Stat(filepath.Join(env.Scratch, "ready")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	start := time.Now()
	cancel()
	return <-done, time.Since(start)
}

// gone fails if the process whose number a file holds still runs after a second. A zombie does not run.
func gone(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the child %d still runs", pid)
}

func TestSecretAcrossPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for _, at := range []int{0, 1<<20 - 5, 1 << 20, 3<<20 - 1} {
		content := strings.Repeat("x", at) + secretValue + strings.Repeat("y", 100)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if found, err := holds(path, []string{secretValue}); !found || err != nil {
			t.Errorf("at %d: %v, %v", at, found, err)
		}
		if found, err := holds(path, []string{secretValue + "z"}); found || err != nil {
			t.Errorf("at %d: %v, %v", at, found, err)
		}
	}
}

func TestRedact(t *testing.T) {
	got := redact("a abc abcdef\nfirst line of key\nx", []string{"abc", "abcdef", "first line of key\nsecond line of key", ""})
	if want := "a *** ***\n***\nx"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTailDropsAPartialLine(t *testing.T) {
	var b strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	x := &tail{}
	x.readFrom(strings.NewReader(b.String()))
	got := x.String()
	if !strings.HasPrefix(got, "line ") || !strings.HasSuffix(got, "line 39999\n") || len(got) > 2*keptBytes+8<<10 || len(got) < keptBytes/2 {
		t.Errorf("%d bytes, from %q", len(got), got[:20])
	}
}
