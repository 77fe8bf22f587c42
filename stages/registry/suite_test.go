package registry_test

import (
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/stage/stagetest"
	jt "pipe/stages/internal/journaltest"
	"pipe/stages/registry"
)

func TestSuite(t *testing.T) {
	model := stagetest.Upstream{Files: map[string]string{"model_ai1.json": "{}", "params.yaml": "theta1: 0.7\n"},
		Info: artifact.Info{Facts: map[string]string{"model_version": "20250131_2300-0a1b2c3d"}, Metrics: map[string]float64{"sharpe": 1.5}}}
	stagetest.Run(t, registry.Type(), stagetest.Case{Name: "publish", World: jt.WithJournal(t),
		Upstreams: map[string]stagetest.Upstream{"stage.model": model},
		Config: `model = stage.model
evidence = [stage.model]
adoption { min_sharpe = 1.2 }`,
	})
}
