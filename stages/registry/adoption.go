package registry

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/stage"
)

// adoption is what a version must reach.
type adoption struct {
	MinSharpe        *float64 `cty:"min_sharpe" json:"min_sharpe,omitempty"`
	MaxDrawdown      *float64 `cty:"max_drawdown" json:"max_drawdown,omitempty"`
	MinTrades        *float64 `cty:"min_trades" json:"min_trades,omitempty"`
	MaxHaltRate      *float64 `cty:"max_halt_rate" json:"max_halt_rate,omitempty"`
	MinSharpeRatio   *float64 `cty:"min_sharpe_ratio" json:"min_sharpe_ratio,omitempty"`
	MaxDrawdownSlack *float64 `cty:"max_drawdown_slack" json:"max_drawdown_slack,omitempty"`
}

func adoptionAttrs() []stage.Attr {
	number := func(name, doc string) stage.Attr { return stage.Attr{Name: name, Type: cty.Number, Doc: doc} }
	ratio := number("min_sharpe_ratio", "`sharpe` must be at least this share of the deployed version's; 0 for no comparison.")
	ratio.Default = cty.NumberFloatVal(0.95)
	slack := number("max_drawdown_slack", "`max_drawdown` may be at most this much above the deployed version's; 1 for no comparison.")
	slack.Default = cty.NumberFloatVal(0.03)
	return []stage.Attr{
		number("min_sharpe", "The metric `sharpe` must be above this."),
		number("max_drawdown", "The metric `max_drawdown`, a positive fraction, must be below this."),
		number("min_trades", "The metric `trades_per_year` must be at least this."),
		number("max_halt_rate", "The metric `halt_rate` must be at most this."),
		ratio, slack,
	}
}

func (a *adoption) check() error {
	if a == nil {
		return nil
	}
	at := func(name, format string, args ...any) error {
		return &stage.AttrError{Path: cty.GetAttrPath("adoption").GetAttr(name), Err: fmt.Errorf(format, args...)}
	}
	switch {
	case a.MaxDrawdown != nil && (*a.MaxDrawdown <= 0 || *a.MaxDrawdown > 1):
		return at("max_drawdown", "max_drawdown is %v: it must be a fraction, above 0 and at most 1", *a.MaxDrawdown)
	case a.MinTrades != nil && *a.MinTrades < 0:
		return at("min_trades", "min_trades is %v: it must be 0 or more", *a.MinTrades)
	case a.MaxHaltRate != nil && (*a.MaxHaltRate < 0 || *a.MaxHaltRate > 1):
		return at("max_halt_rate", "max_halt_rate is %v: it must be between 0 and 1", *a.MaxHaltRate)
	case a.MaxDrawdownSlack != nil && *a.MaxDrawdownSlack < 0:
		return at("max_drawdown_slack", "max_drawdown_slack is %v: it must be 0 or more", *a.MaxDrawdownSlack)
	}
	return nil
}

// The metrics that adoption reads.
const (
	sharpe   = "sharpe"
	drawdown = "max_drawdown"
	trades   = "trades_per_year"
	haltRate = "halt_rate"
)

// rounding is what computing a limit from the deployed version's metric may cost.
const rounding = 1e-12

// reasons says why a version with these metrics may not be adopted in place of the deployed one; none means that it may.
// deployed is nil if nothing is.
func (a *adoption) reasons(metrics, deployed map[string]float64) []string {
	if a == nil {
		return nil
	}
	var list []string
	judge := func(metric string, limit *float64, holds func(v, limit float64) bool, must string) {
		if limit == nil {
			return
		}
		v, ok := metrics[metric]
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("the metric %s is missing", metric))
		case !holds(v, *limit):
			list = append(list, fmt.Sprintf("%s is %.6g, it must be %s %.6g", metric, v, must, *limit))
		}
	}
	judge(sharpe, a.MinSharpe, func(v, l float64) bool { return v > l }, "above")
	judge(drawdown, a.MaxDrawdown, func(v, l float64) bool { return v < l }, "below")
	judge(trades, a.MinTrades, func(v, l float64) bool { return v >= l }, "at least")
	judge(haltRate, a.MaxHaltRate, func(v, l float64) bool { return v <= l }, "at most")
	if was, ok := deployed[sharpe]; ok && a.MinSharpeRatio != nil && *a.MinSharpeRatio != 0 {
		limit := *a.MinSharpeRatio * was
		judge(sharpe, &limit, func(v, l float64) bool { return v >= l-rounding }, fmt.Sprintf("at least %.6g of the deployed version's, that is", *a.MinSharpeRatio))
	}
	if was, ok := deployed[drawdown]; ok && a.MaxDrawdownSlack != nil && *a.MaxDrawdownSlack < 1 {
		limit := *a.MaxDrawdownSlack + was
		judge(drawdown, &limit, func(v, l float64) bool { return v <= l+rounding }, fmt.Sprintf("at most %.6g more than the deployed version's, that is", *a.MaxDrawdownSlack))
	}
	return unique(list)
}

func unique(list []string) []string {
	var kept []string
	for i, s := range list {
		if i == 0 || !contains(list[:i], s) {
			kept = append(kept, s)
		}
	}
	return kept
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
