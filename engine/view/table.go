package view

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is aligned columns.
type table struct {
	header []string
	rows   [][]string
	right  map[int]bool // columns that are aligned to the right
	indent string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write renders the table. Lines do not end in spaces.
func (t *table) write(w io.Writer, s Style) {
	width := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	if strings.Join(t.header, "") != "" {
		io.WriteString(w, s.paint(bold, t.line(t.header, width))+"\n")
	}
	for _, row := range t.rows {
		io.WriteString(w, t.line(row, width)+"\n")
	}
}

func (t *table) line(row []string, width []int) string {
	var b strings.Builder
	b.WriteString(t.indent)
	for i, c := range row {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
		if t.right[i] {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
