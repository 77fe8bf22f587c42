package expect

import (
	"context"
	"errors"
	"os"

	"pipe/engine/check"
	"pipe/stages/internal/duck"
)

// NewEvaluator returns the evaluator of pipe. Each call of Evaluate has a session of its own.
func NewEvaluator() check.Evaluator { return evaluator{} }

type evaluator struct{}

// Evaluate implements check.Evaluator.
func (evaluator) Evaluate(ctx context.Context, subject check.Subject, list []check.Expectation) ([]check.Result, error) {
	results := make([]check.Result, len(list))
	var table []int
	for i, e := range list {
		if d, ok := check.Lookup(e.Type); ok && d.Family == check.Metric {
			results[i] = check.EvaluateMetric(e, subject.Metrics)
		} else if subject.Table == "" {
			results[i] = check.Broken(e, errors.New("there is no table to look at"))
		} else {
			table = append(table, i)
		}
	}
	if len(table) == 0 {
		return results, nil
	}
	scratch, err := os.MkdirTemp("", "pipe-expect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	db, err := duck.Open(ctx, duck.Options{Scratch: scratch})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	s, err := open(ctx, db, subject.Table)
	if err != nil {
		return nil, err
	}
	measures := make([]*measure, 0, len(table))
	for _, i := range table {
		measures = append(measures, s.measure(i, list[i]))
	}
	if err := s.run(ctx, measures); err != nil {
		return nil, err
	}
	for _, m := range measures {
		results[m.index] = m.result
	}
	return results, nil
}
