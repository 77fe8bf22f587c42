package stages

import (
	"pipe/engine/check"
	"pipe/engine/stage"
	"pipe/stages/expect"
	"pipe/stages/files"
	"pipe/stages/input"
	"pipe/stages/sql"
)

// All returns every type that plan files may use, one line a type.
func All() *stage.Registry {
	return stage.NewRegistry(
		input.Type(),
		sql.Type(),
		files.Type(),
	)
}

// Evaluator returns the engine for expectations.
func Evaluator() check.Evaluator { return expect.NewEvaluator() }
