package train

import (
	"fmt"

	"pipe/stages/train/fold"
)

// ModelParams are the settings of one model.
type ModelParams struct {
	LearningRate float64 `json:"learning_rate" yaml:"learning_rate" cty:"learning_rate"`
	Epochs       int     `json:"epochs" yaml:"epochs" cty:"epochs"`
	L2           float64 `json:"l2" yaml:"l2" cty:"l2"`
}

// Settings of a training.
type Settings struct {
	CV     fold.Config
	AI1    ModelParams
	AI2    ModelParams
	Theta1 float64 // enter above this return_prob
	Theta2 float64 // and below this risk_score
}

// SettingError is a mistake in one setting, with its path as it is configured.
type SettingError struct {
	Path []string
	Err  error
}

func (e *SettingError) Error() string { return e.Err.Error() }
func (e *SettingError) Unwrap() error { return e.Err }

func badSetting(format string, args []any, path ...string) error {
	return &SettingError{Path: path, Err: fmt.Errorf(format, args...)}
}

// Check refuses settings that can't hold whatever the data.
func (s Settings) Check() error {
	if err := s.CV.Check(); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		p    ModelParams
	}{{"ai1_params", s.AI1}, {"ai2_params", s.AI2}} {
		switch {
		case !(m.p.LearningRate > 0):
			return badSetting("learning_rate is %v: it must be positive", []any{m.p.LearningRate}, m.name, "learning_rate")
		case m.p.Epochs < 1:
			return badSetting("epochs is %d: at least 1 is needed", []any{m.p.Epochs}, m.name, "epochs")
		case !(m.p.L2 > 0):
			return badSetting("l2 is %v: it must be positive, or separable samples have no finite solution", []any{m.p.L2}, m.name, "l2")
		}
	}
	for _, th := range []struct {
		name string
		v    float64
	}{{"theta1", s.Theta1}, {"theta2", s.Theta2}} {
		if !(th.v >= 0 && th.v <= 1) {
			return badSetting("%s is %v: it is compared with a probability and must lie from 0 to 1", []any{th.name, th.v}, th.name)
		}
	}
	return nil
}
