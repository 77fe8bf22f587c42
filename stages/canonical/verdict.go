package canonical

import (
	"fmt"
	"slices"
	"time"
)

// counts are the stamps of what was found, so that they can be counted by period.
type counts struct {
	conflicts, invalid, outliers []int64
	gaps                         []gap
}

// meta is __meta.json.
type meta struct {
	Symbol          string `json:"symbol,omitempty"`
	Timeframe       string `json:"timeframe"`
	BarsWritten     int    `json:"bars_written"`
	MissingGaps     int    `json:"missing_gaps"`
	MissingBars     int    `json:"missing_bars"`
	FilledBars      int    `json:"filled_bars"`
	OutlierBars     int    `json:"outlier_bars"`
	SpikeFlags      int    `json:"spike_flags"`
	InvalidBars     int    `json:"invalid_bars"`
	ConflictingBars int    `json:"conflicting_bars"`
	OffSessionBars  int    `json:"off_session_bars"`
	FirstTS         string `json:"first_ts"`
	LastTS          string `json:"last_ts"`
	DataHash        string `json:"data_hash"`
	Quarantine      bool   `json:"quarantine"`
	Gaps            []gap  `json:"gaps"`
}

// quarantine is __quarantine.json: the first reason, and all of them.
type quarantine struct {
	reason
	Period  period   `json:"period"`
	Reasons []reason `json:"reasons"`
	Gaps    []gap    `json:"gaps"`
}

type reason struct {
	Reason    string  `json:"reason"`
	Threshold float64 `json:"threshold"`
	Observed  float64 `json:"observed"`
}

type period struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// within keeps the rows and findings of the period.
func (j *job) within() error {
	if j.until == 0 {
		return nil
	}
	first, last := j.rows[0].at, j.rows[len(j.rows)-1].at
	outside := func(at int64) bool { return at < j.from || at >= j.until }
	j.rows = slices.DeleteFunc(j.rows, func(b row) bool { return outside(b.at) })
	if len(j.rows) == 0 {
		return fmt.Errorf("no bar lies in %s: the source goes from %s to %s", *j.Period, stamp(first), stamp(last))
	}
	j.known.conflicts = slices.DeleteFunc(j.known.conflicts, outside)
	j.known.invalid = slices.DeleteFunc(j.known.invalid, outside)
	j.known.outliers = slices.DeleteFunc(j.known.outliers, outside)
	j.known.gaps = slices.DeleteFunc(j.known.gaps, func(g gap) bool { return outside(g.first) })
	return nil
}

// summary counts. Repeated rows that were dropped are not counted: they must leave no trace.
func (j *job) summary() *meta {
	m := &meta{
		Symbol: j.symbol, Timeframe: j.Timeframe, BarsWritten: len(j.rows),
		MissingGaps: len(j.known.gaps), OutlierBars: len(j.known.outliers), InvalidBars: len(j.known.invalid),
		ConflictingBars: len(j.known.conflicts),
		FirstTS:         stamp(j.rows[0].at), LastTS: stamp(j.rows[len(j.rows)-1].at), Gaps: j.known.gaps,
	}
	if m.Gaps == nil {
		m.Gaps = []gap{}
	}
	for _, g := range j.known.gaps {
		m.MissingBars += g.Bars
	}
	for _, b := range j.rows {
		switch {
		case b.filled:
			m.FilledBars++
		case b.spike:
			m.SpikeFlags++
		}
		if !b.filled && !j.session.expects(b.at) {
			m.OffSessionBars++
		}
	}
	return m
}

// judge returns why the partition is quarantined, nil if it is not.
func (j *job) judge(m *meta) *quarantine {
	bars := float64(m.BarsWritten)
	var reasons []reason
	for _, r := range []reason{
		{"conflicting_bars", 0, float64(m.ConflictingBars)},
		{"missing_gaps", float64(j.MaxMissingGaps), float64(m.MissingGaps)},
		{"outlier_bars", j.OutlierThreshold, float64(m.OutlierBars) / bars},
		{"spike_flags", j.SpikeThreshold, float64(m.SpikeFlags) / bars},
	} {
		if r.Observed > r.Threshold {
			reasons = append(reasons, r)
		}
	}
	if reasons == nil {
		return nil
	}
	return &quarantine{reason: reasons[0], Period: period{m.FirstTS, m.LastTS}, Reasons: reasons, Gaps: m.Gaps}
}

func stamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }

func span(seconds int64) string {
	switch {
	case seconds%day == 0:
		return fmt.Sprintf("%dd", seconds/day)
	case seconds%3600 == 0:
		return fmt.Sprintf("%dh", seconds/3600)
	case seconds%60 == 0:
		return fmt.Sprintf("%dm", seconds/60)
	}
	return fmt.Sprintf("%ds", seconds)
}
