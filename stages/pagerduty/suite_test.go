package pagerduty_test

import (
	"testing"

	"pipe/engine/stage/stagetest"
	"pipe/stages/pagerduty"
)

func TestSuite(t *testing.T) { stagetest.Run(t, pagerduty.Type()) }
