package slack_test

import (
	"testing"

	"pipe/engine/stage/stagetest"
	"pipe/stages/slack"
)

func TestSuite(t *testing.T) { stagetest.Run(t, slack.Type()) }
