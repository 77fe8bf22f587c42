package cli_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"

	"pipe/engine/check"
)

// csvEvaluator evaluates three expectations on CSV files, and those on metrics.
type csvEvaluator struct{}

func (csvEvaluator) Evaluate(_ context.Context, s check.Subject, list []check.Expectation) ([]check.Result, error) {
	results := make([]check.Result, len(list))
	for i, e := range list {
		if e.Type == "metric_to_be_between" {
			results[i] = check.EvaluateMetric(e, s.Metrics)
			continue
		}
		records, err := readCSV(s.Table)
		if err != nil {
			return nil, err
		}
		if results[i], err = evaluate(e, records[0], records[1:]); err != nil {
			results[i] = check.Broken(e, err)
		}
	}
	return results, nil
}

func readCSV(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err == nil && len(records) == 0 {
		err = fmt.Errorf("the table is empty")
	}
	return records, err
}

func evaluate(e check.Expectation, header []string, rows [][]string) (check.Result, error) {
	a, err := check.ParseArgs(e)
	if err != nil {
		return check.Result{}, err
	}
	if e.Type == "table_row_count_to_be_between" {
		n := float64(len(rows))
		return check.Aggregate(e, a, &n), nil
	}
	col := slices.Index(header, a.Column)
	if col < 0 {
		return check.Result{}, fmt.Errorf("there is no column %s", a.Column)
	}
	var missing, unexpected int64
	var failing []check.Row
	for i, row := range rows {
		ok := true
		switch {
		case e.Type == "column_values_to_not_be_null":
			ok = row[col] != ""
		case row[col] == "":
			missing++
			continue
		case e.Type == "column_values_to_be_between":
			x, err := strconv.ParseFloat(row[col], 64)
			if err != nil {
				return check.Result{}, err
			}
			if ok, err = a.Within(x); err != nil {
				return check.Result{}, err
			}
		default:
			return check.Result{}, fmt.Errorf("%s is not known to this evaluator", e.Type)
		}
		if ok {
			continue
		}
		if unexpected++; len(failing) < check.MaxRows {
			failing = append(failing, check.Row{Number: int64(i + 1), Columns: header, Values: values(row)})
		}
	}
	r := check.Map(e, a, int64(len(rows)), missing, unexpected)
	r.PartialUnexpectedRows = failing
	return r, nil
}

func values(row []string) []any {
	list := make([]any, len(row))
	for i, cell := range row {
		if cell == "" {
			continue
		}
		list[i] = cell
		if x, err := strconv.ParseFloat(cell, 64); err == nil {
			list[i] = x
		}
	}
	return list
}
