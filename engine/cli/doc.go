// Package cli is the command line: one file for each command, which reads flags, calls the engine and hands what comes
// back to view. It refuses to decide anything about pipelines, and it knows no type of stage: the registry of types and
// the evaluator of expectations come in through Deps.
//
// Main is all that a program needs:
//
//	func main() {
//		os.Exit(cli.Main(os.Args[1:], cli.Deps{Registry: stages.All(), Evaluator: stages.Evaluator(), Version: version}))
//	}
//
// Standard output carries what was asked for, standard error everything else; with --json everything is one JSON object
// a line on standard output. Exit codes are in exit.go and nowhere else.
package cli
