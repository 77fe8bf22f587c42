// Command pipe runs declarative data and model pipelines: plan files say what there should be, pipe plan shows what
// would run and why, pipe apply runs exactly that.
package main

import (
	"os"

	"pipe/engine/cli"
	"pipe/stages"
	"pipe/starter"
)

// version is set at build time.
var version = "0.1.0"

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Deps{
		Registry:  stages.All(),
		Evaluator: stages.Evaluator(),
		Starter:   starter.FS,
		Version:   version,
	}))
}
