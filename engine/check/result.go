package check

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// NewResult returns the result of e without an outcome.
func NewResult(e Expectation) Result {
	return Result{Type: e.Type, Args: e.Args, Severity: e.Severity}
}

// Broken returns the result of an expectation that could not be evaluated. It is a failure.
func Broken(e Expectation, err error) Result {
	r := NewResult(e)
	a, _ := ParseArgs(e) // what can't be read is named without arguments
	r.Exception = err.Error()
	r.Message = fmt.Sprintf("%s could not be evaluated: %v", About(e, a), err)
	return r
}

// Map fills in the result of a row-by-row expectation from its counts: of rows, of rows that are not considered (nulls),
// and of considered rows that do not meet it. The comparison with mostly has no tolerance; nothing considered is a
// success.
func Map(e Expectation, a Args, rows, missing, unexpected int64) Result {
	r := NewResult(e)
	considered := rows - missing
	r.ElementCount, r.MissingCount, r.UnexpectedCount = &rows, &missing, &unexpected
	r.MissingPercent, r.UnexpectedPercentTotal = percent(missing, rows), percent(unexpected, rows)
	r.UnexpectedPercent = percent(unexpected, considered)
	r.Success = considered == 0 || float64(considered-unexpected)/float64(considered) >= a.Share()
	what := "rows are unexpected"
	if unexpected == 1 {
		what = "rows is unexpected"
	}
	r.Message = fmt.Sprintf("%s: %s of %s %s", About(e, a), Group(unexpected), Group(considered), what)
	if unexpected > 0 && considered > 0 {
		r.Message += " (" + share(float64(unexpected)/float64(considered)) + ")"
	}
	if s := a.Share(); s < 1 {
		r.Message += ", " + share(1-s) + " allowed"
	}
	return r
}

func percent(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	p := 100 * float64(part) / float64(whole)
	return &p
}

// share prints a share as a percentage with three digits, and with as many more as keep it apart from 0% and 100%: 9,999
// of 10,000 is not everything.
func share(f float64) string {
	p := 100 * f
	near := math.Min(p, math.Abs(100-p)) // the distance that must stay visible
	if near < 1e-12 {
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	}
	decimals := 2 - int(math.Floor(math.Log10(p)))
	if least := -int(math.Floor(math.Log10(near))); p > 50 && least > decimals {
		decimals = least
	}
	s := strconv.FormatFloat(p, 'f', max(decimals, 0), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + "%"
}

// Aggregate fills in the result of an expectation on one number; nil is the number of an empty column, and fails.
func Aggregate(e Expectation, a Args, observed *float64) Result {
	if observed == nil {
		return Observed(e, a, nil)
	}
	return Observed(e, a, *observed)
}

// Observed fills in the result of an expectation on one value: a number (float64, int64, json.Number), a time.Time, a
// string, or nil for that of an empty column, which fails. A number that JSON can't hold (NaN, an infinity) is kept as a
// text.
func Observed(e Expectation, a Args, value any) Result {
	r := NewResult(e)
	if value == nil {
		r.Message = About(e, a) + ": there is no value to look at"
		return r
	}
	ok, err := a.Holds(value)
	if err != nil {
		return Broken(e, err)
	}
	r.Success, r.ObservedValue = ok, value
	switch v := value.(type) {
	case time.Time:
		r.ObservedValue = SpellMoment(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			r.ObservedValue = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	shown := r.ObservedValue
	if f, is := value.(float64); is {
		shown = f
	}
	r.Message = fmt.Sprintf("%s: it is %s", About(e, a), Spell(shown))
	return r
}

// SpellMoment is how a moment stands in results: ISO 8601 in UTC, with as many digits of a second as it has.
func SpellMoment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z") }

// EvaluateMetric evaluates a metric_to_be_between. A metric that was not reported fails.
func EvaluateMetric(e Expectation, metrics map[string]float64) Result {
	a, err := ParseArgs(e)
	if err != nil {
		return Broken(e, err)
	}
	v, ok := metrics[a.Metric]
	if !ok {
		return Broken(e, fmt.Errorf("no metric is called %q; there are %s", a.Metric, metricNames(metrics)))
	}
	return Aggregate(e, a, &v)
}

// EvaluateMetrics evaluates expectations where there is no table, as before a publish: those on metrics are evaluated,
// and any other gives a result with an exception.
func EvaluateMetrics(list []Expectation, metrics map[string]float64) []Result {
	results := make([]Result, len(list))
	for i, e := range list {
		if d, ok := Lookup(e.Type); ok && d.Family == Metric {
			results[i] = EvaluateMetric(e, metrics)
		} else {
			results[i] = Broken(e, errors.New("there is no table to look at"))
		}
	}
	return results
}

// metricNames spells the metrics for a message.
func metricNames(metrics map[string]float64) string {
	if len(metrics) == 0 {
		return "none"
	}
	names := make([]string, 0, len(metrics))
	for n := range metrics {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}
