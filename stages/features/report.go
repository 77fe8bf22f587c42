package features

import (
	"encoding/json"
	"math"

	"pipe/stages/features/rolling"
	"pipe/stages/features/scale"
)

// outlierSigma is how many robust standard deviations make a change of price an outlier.
const outlierSigma = 8

// Report is preprocess_report.json. It describes; no feature depends on it.
type Report struct {
	Alignment Alignment `json:"alignment"`
	// MissingShare is the share of timestamps of either leg that the other lacks or that was filled in.
	MissingShare float64 `json:"missing_share"`
	// OutlierShare is the share of log changes, of either leg, more than 8 robust sigmas from their median, and
	// SpikeShare of those among them of which the next bar takes back at least half.
	OutlierShare float64        `json:"outlier_share"`
	SpikeShare   float64        `json:"spike_share"`
	Rows         int            `json:"rows"`
	Complete     int            `json:"complete_rows"` // rows in which every feature is present
	WarmUp       int            `json:"warm_up_rows"`  // rows before the first complete one
	Columns      []ColumnReport `json:"columns"`
	AI1          LabelReport    `json:"ai1"`
	AI2          LabelReport    `json:"ai2"`
}

// ColumnReport counts the gaps of a feature, and the values that scaling would clip were the scaler fitted on all of
// the rows here. (The trainer counts again with the scalers that it fits.)
type ColumnReport struct {
	Column  string `json:"column"`
	Missing int    `json:"missing"`
	Clipped int    `json:"clipped"`
}

// LabelReport counts the samples of a model.
type LabelReport struct {
	Samples   int `json:"samples"`
	Positives int `json:"positives"`
}

// NewReport describes a labelled set and the legs it was made from.
func NewReport(s *Set, al Alignment, legs ...Bars) (Report, error) {
	r := Report{Alignment: al, Rows: s.Frame.Len()}
	if union := al.Joined + al.OnlyA + al.OnlyB; union > 0 {
		r.MissingShare = float64(al.OnlyA+al.OnlyB+al.Filled) / float64(union)
	}
	outliers, spikes, changes := 0, 0, 0
	for _, leg := range legs {
		o, sp, n := outliersOf(leg.Close)
		outliers, spikes, changes = outliers+o, spikes+sp, changes+n
	}
	if changes > 0 {
		r.OutlierShare, r.SpikeShare = float64(outliers)/float64(changes), float64(spikes)/float64(changes)
	}
	rows, err := s.Frame.Complete(s.Features)
	if err != nil {
		return r, err
	}
	r.Complete, r.WarmUp = len(rows), r.Rows
	if len(rows) > 0 {
		r.WarmUp = rows[0]
	}
	if r.Columns, err = columnReports(s); err != nil {
		return r, err
	}
	r.AI1, r.AI2 = labelReport(s, AI1Label), labelReport(s, AI2Label)
	return r, nil
}

func columnReports(s *Set) ([]ColumnReport, error) {
	var out []ColumnReport
	for _, name := range s.Features {
		values, err := s.Frame.Need(name)
		if err != nil {
			return nil, err
		}
		var present []int
		for i, v := range values {
			if !math.IsNaN(v) {
				present = append(present, i)
			}
		}
		c := ColumnReport{Column: name, Missing: len(values) - len(present)}
		if len(present) > 0 {
			sc, err := scale.Fit(name, values, present)
			if err != nil {
				return nil, err
			}
			for _, i := range present {
				if sc.Clips(values[i], Clip) {
					c.Clipped++
				}
			}
		}
		out = append(out, c)
	}
	return out, nil
}

func labelReport(s *Set, name string) LabelReport {
	var r LabelReport
	values, _ := s.Frame.Col(name)
	for _, v := range values {
		if !math.IsNaN(v) {
			r.Samples++
			r.Positives += int(v)
		}
	}
	return r
}

func outliersOf(price []float64) (outliers, spikes, changes int) {
	d := rolling.Diff(logs(price))[1:]
	if len(d) == 0 {
		return 0, 0, 0
	}
	rows := make([]int, len(d))
	for i := range rows {
		rows[i] = i
	}
	sc, err := scale.Fit("change", d, rows)
	if err != nil {
		return 0, 0, 0 // prices were checked to be positive numbers, so that every change is one
	}
	for i, v := range d {
		if math.Abs(v-sc.Median)/sc.Scale <= outlierSigma {
			continue
		}
		outliers++
		if i+1 < len(d) && d[i+1]*sign(v) <= -math.Abs(v)/2 {
			spikes++
		}
	}
	return outliers, spikes, len(d)
}

// JSON returns the report as it is written.
func (r Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}
