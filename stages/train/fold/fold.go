package fold

import "fmt"

// Scheme is a way of cutting.
type Scheme string

// The schemes.
const (
	WalkForward Scheme = "walk_forward"
	KFold       Scheme = "kfold"
)

// Config says how to cut. All sizes are in rows.
type Config struct {
	Scheme Scheme `json:"scheme"`
	Folds  int    `json:"folds"`
	// MinTrainSize is the least number of rows that any fold is trained on before purging.
	MinTrainSize int `json:"min_train_size"`
	// HoldoutSize is the least number of rows that any fold is validated on.
	HoldoutSize int `json:"holdout_size"`
	Purge       int `json:"purge"`
	Embargo     int `json:"embargo"`
}

// ConfigError is a mistake in one setting, named as it is configured.
type ConfigError struct {
	Name string
	Err  error
}

func (e *ConfigError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

func bad(name, format string, args ...any) error {
	return &ConfigError{Name: name, Err: fmt.Errorf(format, args...)}
}

// Check refuses settings that can't hold whatever the data.
func (c Config) Check() error {
	switch {
	case c.Scheme != WalkForward && c.Scheme != KFold:
		return bad("scheme", "%q is unknown: use %q or %q", string(c.Scheme), WalkForward, KFold)
	case c.Scheme == WalkForward && c.Folds < 1:
		return bad("folds", "%d folds validate nothing: at least 1 is needed", c.Folds)
	case c.Scheme == KFold && c.Folds < 2:
		return bad("folds", "%d folds leave nothing to train on: K-fold needs at least 2", c.Folds)
	case c.MinTrainSize < 1:
		return bad("min_train_size", "%d rows: at least 1 is needed", c.MinTrainSize)
	case c.HoldoutSize < 1:
		return bad("holdout_size", "%d rows: at least 1 is needed", c.HoldoutSize)
	case c.Purge < 0:
		return bad("purge", "%d rows: it must be zero or more", c.Purge)
	case c.Embargo < 0:
		return bad("embargo", "%d rows: it must be zero or more", c.Embargo)
	}
	return nil
}

// Block is the validation part of a fold: rows From (inclusive) to To (exclusive).
type Block struct {
	From, To int
}

// Blocks cuts n rows into the validation blocks of the folds.
//
// K-fold: Folds blocks of equal size that cover all rows. Walk-forward: Folds blocks of equal size that end with the
// last row; the rows before the first block are its training set, as many as a block, or MinTrainSize if that is
// more. (Rows that don't divide evenly go to the first training set, or to the last block of K-fold.)
func (c Config) Blocks(n int) ([]Block, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	first, size := 0, n/c.Folds
	if c.Scheme == WalkForward {
		size = min(n/(c.Folds+1), max(0, n-c.MinTrainSize)/c.Folds)
		first = n - c.Folds*size
	}
	if size < c.HoldoutSize {
		return nil, fmt.Errorf("%d usable rows are too few for %d folds that train on at least %d and validate on at least %d: "+
			"give more data, or lower folds, min_train_size or holdout_size", n, c.Folds, c.MinTrainSize, c.HoldoutSize)
	}
	var out []Block
	for k := range c.Folds {
		out = append(out, Block{From: first + k*size, To: first + (k+1)*size})
	}
	out[len(out)-1].To = n
	for _, b := range out {
		if left := n - (b.To - b.From); c.Scheme == KFold && left < c.MinTrainSize {
			return nil, fmt.Errorf("%d usable rows leave %d to train on in a fold, less than the min_train_size of %d", n, left, c.MinTrainSize)
		}
	}
	return out, nil
}

// Labels are the spans in which the rows' labels are decided.
type Labels struct {
	Start []int64 // the row's own time
	End   []int64 // the last time that decided the label; before Start if the row has no label
}

// Has reports whether a row has a label.
func (l Labels) Has(row int) bool { return l.End[row] >= l.Start[row] }

// Training lists the rows that may be trained on when b is validated, and counts the labelled ones left out.
type Training struct {
	Rows      []int
	Purged    int // their labels reach into the block, or they stand within purge rows before it
	Embargoed int // they stand within the reach of the block's labels, or embargo rows after
}

// Training chooses among the labelled rows.
func (c Config) Training(b Block, l Labels) Training {
	var t Training
	for row := range b.From {
		switch {
		case !l.Has(row):
		case l.End[row] >= l.Start[b.From] || row >= b.From-c.Purge:
			t.Purged++
		default:
			t.Rows = append(t.Rows, row)
		}
	}
	if c.Scheme == WalkForward {
		return t
	}
	free := c.reach(b, l) + c.Embargo
	for row := b.To; row < len(l.Start); row++ {
		switch {
		case !l.Has(row):
		case row < free:
			t.Embargoed++
		default:
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// reach is the first row after everything that the labels of the block read.
func (c Config) reach(b Block, l Labels) int {
	last := l.Start[b.To-1]
	for row := b.From; row < b.To; row++ {
		last = max(last, l.End[row])
	}
	row := b.To
	for row < len(l.Start) && l.Start[row] <= last {
		row++
	}
	return row
}

// Outside lists all rows, labelled or not, that lie on the training side of a block: at least purge rows before it, or
// at least embargo rows after it. Scalers, which read no labels, are fitted on these.
func (c Config) Outside(b Block, n int) []int {
	var rows []int
	for row := range max(0, b.From-c.Purge) {
		rows = append(rows, row)
	}
	if c.Scheme == KFold {
		for row := b.To + c.Embargo; row < n; row++ {
			rows = append(rows, row)
		}
	}
	return rows
}
