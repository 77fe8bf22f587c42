package stages

import (
	"pipe/engine/check"
	"pipe/engine/stage"
	"pipe/stages/backtest"
	"pipe/stages/canonical"
	"pipe/stages/exec"
	"pipe/stages/expect"
	"pipe/stages/features"
	"pipe/stages/files"
	"pipe/stages/input"
	"pipe/stages/pagerduty"
	"pipe/stages/redis"
	"pipe/stages/registry"
	"pipe/stages/slack"
	"pipe/stages/sql"
	"pipe/stages/train"
	"pipe/stages/worm"
)

// All returns every type that plan files may use, one line a type.
func All() *stage.Registry {
	return stage.NewRegistry(
		input.Type(),
		canonical.Type(),
		sql.Type(),
		exec.Type(),
		features.Type(),
		train.Type(),
		backtest.Type(),
		files.Type(),
		registry.Type(),
		worm.Type(),
		redis.Type(),
		slack.Type(),
		pagerduty.Type(),
	)
}

// Evaluator returns the engine for expectations.
func Evaluator() check.Evaluator { return expect.NewEvaluator() }
