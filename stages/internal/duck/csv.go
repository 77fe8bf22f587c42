package duck

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// CheckCSV reads a CSV file strictly and returns an error about the first place where it is not one: a row with too few or
// too many fields, an open quote, a column that is named twice, a byte that is not UTF-8.
func CheckCSV(path string, d Dialect) error {
	r, done, err := open(path)
	if err != nil {
		return err
	}
	defer done()
	c := csv.NewReader(r)
	c.Comma, _ = utf8.DecodeRuneInString(d.delimiter())
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	want := 0
	for n := 0; ; n++ {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(path, err)
		}
		line, _ := c.FieldPos(0)
		if n == 0 {
			want = len(row)
			if err := checkHeader(path, row, d); err != nil {
				return err
			}
		}
		if len(row) != want {
			return fmt.Errorf("%s, line %d: the row has %s, and the first line has %d. Correct the row, or quote a value that holds the delimiter %q",
				base(path), line, fields(len(row)), want, d.delimiter())
		}
		for i, f := range row {
			if !utf8.ValidString(f) {
				return fmt.Errorf("%s, line %d: field %d is not UTF-8: convert the file to UTF-8", base(path), line, i+1)
			}
		}
	}
}

func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

func checkHeader(path string, row []string, d Dialect) error {
	if d.Headless {
		return nil
	}
	seen := map[string]bool{}
	for i, f := range row {
		name := strings.ToLower(strings.TrimPrefix(f, "\ufeff"))
		if name == "" {
			return fmt.Errorf("%s, line 1: column %d has no name: name it, or say header = false in a csv block if the first line is data", base(path), i+1)
		}
		if seen[name] {
			return fmt.Errorf("%s, line 1: the column %q is there twice (upper and lower case are the same): rename one", base(path), f)
		}
		seen[name] = true
	}
	return nil
}

func csvError(path string, err error) error {
	var pe *csv.ParseError
	if !errors.As(err, &pe) {
		return fmt.Errorf("%s cannot be read: %w", base(path), plain(err))
	}
	what := "a quotation mark stands inside a field that does not begin with one: put the whole field in quotation marks and double those inside"
	if errors.Is(pe.Err, csv.ErrQuote) {
		what = "a quoted field is not closed, or something follows its closing quotation mark"
	}
	return fmt.Errorf("%s, line %d: %s", base(path), pe.StartLine, what)
}

// diagnose finds a better error than err, which DuckDB gave for CSV files without a place.
func diagnose(paths []string, d Dialect, err error) error {
	for _, p := range paths {
		if cerr := CheckCSV(p, d); cerr != nil {
			return cerr
		}
	}
	return err
}
