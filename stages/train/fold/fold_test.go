package fold_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"pipe/stages/train/fold"
)

func TestWalkForwardBlocks(t *testing.T) {
	c := fold.Config{Scheme: fold.WalkForward, Folds: 3, MinTrainSize: 24, HoldoutSize: 8}
	for n, want := range map[int][]fold.Block{
		100: {{25, 50}, {50, 75}, {75, 100}},
		102: {{27, 52}, {52, 77}, {77, 102}}, // the remainder goes to the first training set
		60:  {{24, 36}, {36, 48}, {48, 60}},  // MinTrainSize decides
		48:  {{24, 32}, {32, 40}, {40, 48}},  // the least that is possible
	} {
		got, err := c.Blocks(n)
		if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("%d rows: %v, %v; want %v", n, got, err, want)
		}
	}
	for _, n := range []int{0, 10, 47} {
		if b, err := c.Blocks(n); err == nil {
			t.Errorf("%d rows were cut into %v", n, b)
		}
	}
}

func TestKFoldBlocks(t *testing.T) {
	c := fold.Config{Scheme: fold.KFold, Folds: 3, MinTrainSize: 60, HoldoutSize: 8}
	got, err := c.Blocks(101)
	if err != nil || len(got) != 3 || got[0] != (fold.Block{0, 33}) || got[2] != (fold.Block{66, 101}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.Blocks(88); err == nil {
		t.Error("a fold was cut that trains on less than min_train_size")
	}
}

// TestNoSpanOverlaps checks the purge against the definition, by brute force: no training label's span shares a moment
// with a validation label's span, and the rows that were left out had to be.
func TestNoSpanOverlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		n := 80 + r.IntN(80)
		l := fold.Labels{Start: make([]int64, n), End: make([]int64, n)}
		at := int64(1000)
		for i := range n {
			at += 1 + int64(r.IntN(3)) // uneven steps, as over weekends
			l.Start[i], l.End[i] = at, at-1
			if r.IntN(4) > 0 {
				l.End[i] = at + int64(r.IntN(25))
			}
		}
		c := fold.Config{Scheme: fold.KFold, Folds: 3, MinTrainSize: 5, HoldoutSize: 5, Purge: r.IntN(4), Embargo: r.IntN(6)}
		if round%2 == 0 {
			c.Scheme = fold.WalkForward
		}
		blocks, err := c.Blocks(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			check(t, c, b, l)
		}
	}
}

func check(t *testing.T, c fold.Config, b fold.Block, l fold.Labels) {
	t.Helper()
	first, last := l.Start[b.From], l.Start[b.To-1]
	for v := b.From; v < b.To; v++ {
		last = max(last, l.End[v])
	}
	after := b.To // the first row after the block's reach
	for after < len(l.Start) && l.Start[after] <= last {
		after++
	}
	got := c.Training(b, l)
	in := map[int]bool{}
	for _, row := range got.Rows {
		in[row] = true
	}
	labelled := 0
	for row := range l.Start {
		if !l.Has(row) {
			if in[row] {
				t.Fatalf("row %d has no label and is trained on", row)
			}
			continue
		}
		want := false
		switch {
		case row < b.From:
			want = l.End[row] < first && b.From-row > c.Purge
		case row >= b.To && c.Scheme == fold.KFold:
			want = l.Start[row] > last && row-after >= c.Embargo
		}
		if row < b.From || row >= b.To && c.Scheme == fold.KFold {
			labelled++
		}
		if in[row] != want {
			t.Fatalf("%+v, block %v: row %d is trained on: %v, want %v", c, b, row, in[row], want)
		}
	}
	if len(got.Rows)+got.Purged+got.Embargoed != labelled {
		t.Fatalf("%d rows, %d purged and %d embargoed don't add up to %d", len(got.Rows), got.Purged, got.Embargoed, labelled)
	}
	for _, row := range c.Outside(b, len(l.Start)) {
		if row >= b.From-c.Purge && row < b.To+c.Embargo || row >= b.To && c.Scheme == fold.WalkForward {
			t.Fatalf("scalers of block %v see row %d", b, row)
		}
	}
}

func TestMistakesNameTheSetting(t *testing.T) {
	ok := fold.Config{Scheme: fold.KFold, Folds: 3, MinTrainSize: 5, HoldoutSize: 5}
	for want, spoil := range map[string]func(*fold.Config){
		"scheme": func(c *fold.Config) { c.Scheme = "shuffle" }, "folds": func(c *fold.Config) { c.Folds = 1 },
		"min_train_size": func(c *fold.Config) { c.MinTrainSize = 0 }, "holdout_size": func(c *fold.Config) { c.HoldoutSize = 0 },
		"purge": func(c *fold.Config) { c.Purge = -1 }, "embargo": func(c *fold.Config) { c.Embargo = -1 },
	} {
		c := ok
		spoil(&c)
		var e *fold.ConfigError
		if err := c.Check(); !errors.As(err, &e) || e.Name != want {
			t.Errorf("got %v, want a mistake in %s", err, want)
		}
	}
}
