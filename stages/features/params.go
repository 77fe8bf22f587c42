package features

import "fmt"

// Params are the windows, in bars.
type Params struct {
	BetaWindow      int `json:"beta_window" cty:"beta_window"`
	ZWindow         int `json:"z_window" cty:"z_window"`
	ZEMASpan        int `json:"z_ema_span" cty:"z_ema_span"`
	StabilityWindow int `json:"stability_window" cty:"stability_window"`
	HalfLifeWindow  int `json:"half_life_window" cty:"half_life_window"`
	DrawdownWindow  int `json:"drawdown_window" cty:"drawdown_window"`
	ATRPeriod       int `json:"atr_period" cty:"atr_period"`
	RhoWindow       int `json:"rho_window" cty:"rho_window"`
	EMAFast         int `json:"ema_fast" cty:"ema_fast"`
	EMASlow         int `json:"ema_slow" cty:"ema_slow"`
	SlopeWindow     int `json:"slope_window" cty:"slope_window"`
	RSIPeriod       int `json:"rsi_period" cty:"rsi_period"`
}

// ParamError is a mistake in one parameter, named as it is configured.
type ParamError struct {
	Name string
	Err  error
}

func (e *ParamError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *ParamError) Unwrap() error { return e.Err }

func badParam(name, format string, args ...any) error {
	return &ParamError{Name: name, Err: fmt.Errorf(format, args...)}
}

// Check refuses windows too short for what is computed in them.
func (p Params) Check() error {
	for _, w := range []struct {
		name     string
		got, min int
	}{
		{"beta_window", p.BetaWindow, 3}, {"z_window", p.ZWindow, 2}, {"z_ema_span", p.ZEMASpan, 1},
		{"stability_window", p.StabilityWindow, 2}, {"half_life_window", p.HalfLifeWindow, 4},
		{"drawdown_window", p.DrawdownWindow, 1}, {"atr_period", p.ATRPeriod, 1}, {"rho_window", p.RhoWindow, 3},
		{"ema_fast", p.EMAFast, 1}, {"ema_slow", p.EMASlow, 2}, {"slope_window", p.SlopeWindow, 2}, {"rsi_period", p.RSIPeriod, 1},
	} {
		if w.got < w.min {
			return badParam(w.name, "a window of %d bars is too short: at least %d are needed", w.got, w.min)
		}
	}
	if p.EMAFast >= p.EMASlow {
		return badParam("ema_fast", "the fast average spans %d bars and the slow one %d: the fast one must be shorter", p.EMAFast, p.EMASlow)
	}
	return nil
}

func (p Params) rho() string    { return fmt.Sprintf("rho_%d", p.RhoWindow) }
func (p Params) rhoVar() string { return fmt.Sprintf("rho_var_%d", p.RhoWindow) }
