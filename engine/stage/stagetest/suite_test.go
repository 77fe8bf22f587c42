package stagetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/stage"
	"pipe/engine/stage/stagetest"
)

type config struct {
	Fault string        `cty:"fault"`
	Token *stage.Secret `cty:"token"`
}

// faulty is a type that breaks the promise that its configuration names.
func faulty() stage.Type {
	return &stage.Def[config]{
		Of: addr.Stage, Label: "faulty", Rev: 1,
		Spec: stage.Schema{
			Doc: "Breaks a promise.", Example: `stage "faulty" "x" { fault = "none" }`,
			Attrs: []stage.Attr{
				{Name: "fault", Type: cty.String, Required: true, Doc: "Which promise is broken."},
				{Name: "token", Type: stage.SecretType, Doc: "A secret."},
			},
		},
		New: func(c config) (stage.Runner, error) { return &runner{c}, nil },
	}
}

type runner struct{ config }

func (r *runner) Run(ctx context.Context, env stage.Env, _ stage.Inputs, out *stage.Output) error {
	text := "x"
	switch r.Fault {
	case "clock":
		text = env.Now().String()
	case "directory":
		text = env.Scratch
	case "secret":
		text, _ = env.Secret(r.Token)
	case "name":
		text = env.Run.Node.String()
	case "metric":
		if err := out.Metric("m", float64(env.Now().Unix())); err != nil {
			return err
		}
	case "table":
		out.Table("none.csv", 1)
	}
	if r.Fault != "cancellation" && ctx.Err() != nil {
		return ctx.Err()
	}
	return os.WriteFile(out.Path("out.txt"), []byte(text), 0o644)
}

const faultVariable = "STAGETEST_FAULT"

// TestFaulty is run by TestSuiteFindsFaults in a process of its own, where it may fail.
func TestFaulty(t *testing.T) {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		fault = "none"
	}
	stagetest.Run(t, faulty(), stagetest.Case{
		Name: "case", Config: "fault = \"" + fault + "\"\ntoken = secret(\"TOKEN\")", Getenv: map[string]string{"TOKEN": "value-of-token"},
	})
}

func TestSuiteFindsFaults(t *testing.T) {
	for fault, want := range map[string]string{
		"none":         "",
		"clock":        "two runs leave different content in out.txt",
		"name":         "two runs leave different content in out.txt",
		"directory":    "out.txt: it holds the directory of the run",
		"secret":       "out.txt: it holds the value of the secret TOKEN",
		"metric":       "two runs say different things",
		"table":        "the output has no file none.csv",
		"cancellation": "under a cancelled context it returned <nil>",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFaulty$")
		cmd.Env = append(os.Environ(), faultVariable+"="+fault)
		out, err := cmd.CombinedOutput()
		if (err != nil) != (want != "") || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s\nwant %q", fault, err, out, want)
		}
	}
}
