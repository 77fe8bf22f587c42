package check

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// NewResult returns the result of e without an outcome.
func NewResult(e Expectation) Result {
	return Result{Type: e.Type, Args: e.Args, Severity: e.Severity}
}

// Broken returns the result of an expectation that could not be evaluated. It is a failure.
func Broken(e Expectation, err error) Result {
	r := NewResult(e)
	a, _ := ParseArgs(e)
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
		what = "row is unexpected"
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

func share(f float64) string { return strconv.FormatFloat(100*f, 'g', 3, 64) + "%" }

// Aggregate fills in the result of an expectation on one number; nil is the number of an empty column, and fails.
func Aggregate(e Expectation, a Args, observed *float64) Result {
	r := NewResult(e)
	if observed == nil {
		r.Message = About(e, a) + ": there is no value to look at"
		return r
	}
	ok, err := a.Within(*observed)
	if err != nil {
		return Broken(e, err)
	}
	r.Success, r.ObservedValue = ok, *observed
	r.Message = fmt.Sprintf("%s: it is %s", About(e, a), Spell(*observed))
	return r
}

// EvaluateMetric evaluates a metric_to_be_between.
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
