package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"pipe/engine/check"
)

// Results writes a table of all results, then the failing rows of each that failed.
func Results(w io.Writer, results []check.Result, s Style) {
	t := &table{header: []string{"", "SEVERITY", "EXPECTATION"}}
	for i := range results {
		t.add(mark(&results[i]), string(results[i].Severity), messageOf(&results[i]))
	}
	t.write(w, s)
	for i := range results {
		if r := &results[i]; !r.Success && len(r.PartialUnexpectedRows) > 0 {
			fmt.Fprintln(w)
			failure(w, r, "", s)
		}
	}
}

// ResultsSummary writes how many expectations hold.
func ResultsSummary(w io.Writer, results []check.Result, s Style) {
	blocking := len(check.Failed(results))
	other := 0
	for i := range results {
		if !results[i].Success && !results[i].Severity.Blocks() {
			other++
		}
	}
	if blocking == 0 && other == 0 {
		fmt.Fprintf(w, "%s %s.\n", s.paint(green, "Passed:"), Plural(int64(len(results)), "expectation holds", "expectations hold"))
		return
	}
	word := s.paint(yellow, "Passed with warnings:")
	if blocking > 0 {
		word = s.paint(red, "Failed:")
	}
	fmt.Fprintf(w, "%s %d of %d expectations hold, %d failed, %d warned.\n", word, len(results)-blocking-other, len(results), blocking, other)
}

func mark(r *check.Result) string {
	switch {
	case r.Success:
		return "ok"
	case r.Severity.Blocks():
		return "FAIL"
	}
	return "warn"
}

// messageOf is what was expected and found.
func messageOf(r *check.Result) string {
	switch {
	case r.Message != "":
		return printable(r.Message)
	case r.Exception != "":
		return r.Type + " could not be evaluated: " + printable(r.Exception)
	}
	return r.Type
}

// failure writes one result that is no success: what was expected and found, and the rows that show it.
func failure(w io.Writer, r *check.Result, indent string, s Style) {
	c := yellow
	if r.Severity.Blocks() {
		c = red
	}
	fmt.Fprintf(w, "%s%s  %s\n", indent, s.paint(c, string(r.Severity)), messageOf(r))
	failingRows(w, r, indent+"  ", s)
}

// maxColumns is how many columns a table of failing rows has where the width of the terminal is not known.
const maxColumns = 12

// failingRows writes the rows that an expectation failed on, aligned, the column it is about first.
func failingRows(w io.Writer, r *check.Result, indent string, s Style) {
	if len(r.PartialUnexpectedRows) == 0 {
		return
	}
	about := subjects(r)
	order := columnOrder(r.PartialUnexpectedRows[0].Columns, about)
	t := &table{header: []string{"row"}, right: map[int]bool{0: true}, indent: indent}
	cells := make([][]string, len(r.PartialUnexpectedRows))
	for i, row := range r.PartialUnexpectedRows {
		cells[i] = []string{Count(row.Number)}
	}
	used, shown := utf8.RuneCountInString(indent)+8, 0
	for _, c := range order {
		width, col, number := column(r.PartialUnexpectedRows, c)
		if used += width + 2; shown > 0 && ((s.Width > 0 && used > s.Width) || shown == maxColumns) {
			break
		}
		t.header = append(t.header, printable(r.PartialUnexpectedRows[0].Columns[c]))
		t.right[shown+1] = number
		for i := range cells {
			cells[i] = append(cells[i], col[i])
		}
		shown++
	}
	t.rows = cells
	t.write(w, s)
	more := ""
	if hidden := len(order) - shown; hidden > 0 {
		more = fmt.Sprintf("%s not shown", Plural(int64(hidden), "column", "columns"))
	}
	if r.UnexpectedCount != nil && *r.UnexpectedCount > int64(len(cells)) {
		rows := fmt.Sprintf("%s more failing rows", Count(*r.UnexpectedCount-int64(len(cells))))
		more = strings.TrimSuffix(rows+"; "+more, "; ")
	}
	if more != "" {
		fmt.Fprintf(w, "%s… %s\n", indent, more)
	}
}

// subjects are the columns that an expectation is about.
func subjects(r *check.Result) map[string]bool {
	var args struct {
		Column  string   `json:"column"`
		A       string   `json:"column_A"`
		B       string   `json:"column_B"`
		Columns []string `json:"column_list"`
	}
	_ = json.Unmarshal(r.Args, &args) // another shape has no such columns
	set := map[string]bool{}
	for _, c := range append(args.Columns, args.Column, args.A, args.B) {
		if c != "" {
			set[c] = true
		}
	}
	return set
}

func columnOrder(columns []string, first map[string]bool) []int {
	var order, rest []int
	for i, c := range columns {
		if first[c] {
			order = append(order, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(order, rest...)
}

// column renders the cells of one column.
func column(rows []check.Row, c int) (width int, cells []string, number bool) {
	width, number = utf8.RuneCountInString(rows[0].Columns[c]), true
	for _, row := range rows {
		var v any
		if c < len(row.Values) {
			v = row.Values[c]
		}
		cell, num := cellOf(v)
		number = number && (num || v == nil)
		width = max(width, utf8.RuneCountInString(cell))
		cells = append(cells, cell)
	}
	return width, cells, number
}

func cellOf(v any) (cell string, number bool) {
	switch v := v.(type) {
	case nil:
		return "null", false
	case string:
		return clip(printable(v), 40), false
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return clip(printable(fmt.Sprint(v)), 40), false
	}
	text := clip(printable(string(b)), 40)
	return text, len(text) > 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))
}
