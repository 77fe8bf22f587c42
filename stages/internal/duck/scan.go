package duck

import (
	"fmt"
	"strings"
)

// Format is a format of tables in files.
type Format string

// The formats. JSON is an array of objects, NDJSON one object a line.
const (
	JSON    Format = "json"
	NDJSON  Format = "ndjson"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// FormatOf returns the format that a path's ending stands for, with or without .gz. It is "" if the ending is unknown.
func FormatOf(path string) Format {
	name := strings.ToLower(base(path))
	plain := strings.TrimSuffix(name, ".gz")
	switch {
	case strings.HasSuffix(plain, ".json"):
		return JSON
	case strings.HasSuffix(plain, ".ndjson"), strings.HasSuffix(plain, ".jsonl"):
		return NDJSON
	case strings.HasSuffix(plain, ".csv"):
		return CSV
	case strings.HasSuffix(name, ".parquet"):
		return Parquet
	}
	return ""
}

// Dialect says how a CSV file is written. The zero value is comma-separated with a header line, "" meaning NULL.
type Dialect struct {
	Delimiter string   // "" is ","
	Headless  bool     // the first line is data; columns are column0, column1, …
	Null      []string // further spellings of NULL
}

// Scan returns the table function that reads a file by its ending, such as read_parquet('…'). It is for callers who know
// that the file is whole; Table checks it first and gives clearer errors.
func Scan(path string) string { return scan([]string{path}, FormatOf(path), Dialect{}) }

// ScanText returns the table function that reads some columns of a JSON or NDJSON file as the text that stands there.
func ScanText(path string, columns ...string) string {
	list := make([]string, 0, len(columns))
	for _, c := range columns {
		list = append(list, Literal(c)+": 'VARCHAR'")
	}
	format := "array"
	if FormatOf(path) == NDJSON {
		format = "newline_delimited"
	}
	return "read_json(" + Literal(escapeGlob(path)) + ", format = '" + format + "', columns = {" + strings.Join(list, ", ") + "}" + gz([]string{path}) + ")"
}

// scan reads several files of one format as one table: the union of their columns by name, in the order of the paths.
func scan(paths []string, format Format, d Dialect) string {
	list := make([]string, 0, len(paths))
	for _, p := range paths {
		list = append(list, Literal(escapeGlob(p)))
	}
	arg := "[" + strings.Join(list, ", ") + "]"
	switch format {
	case JSON:
		return "read_json(" + arg + ", format = 'array', sample_size = -1, records = true, union_by_name = true" + gz(paths) + ")"
	case NDJSON:
		return "read_json(" + arg + ", format = 'newline_delimited', sample_size = -1, records = true, union_by_name = true" + gz(paths) + ")"
	case CSV:
		return "read_csv(" + arg + d.options() + gz(paths) + ")"
	case Parquet:
		return "read_parquet(" + arg + ", union_by_name = true, hive_partitioning = false)"
	}
	panic(fmt.Sprintf("duck: %s has no known format", base(paths[0])))
}

// options spells everything that DuckDB would otherwise guess, so that the same file always reads as the same table:
// types are found from all rows, no line is skipped, and a line with too few or too many fields is an error.
func (d Dialect) options() string {
	nulls := []string{"''"}
	for _, n := range d.Null {
		nulls = append(nulls, Literal(n))
	}
	return fmt.Sprintf(", delim = %s, header = %t, quote = '\"', escape = '\"', comment = '', skip = 0, sample_size = -1"+
		", strict_mode = true, null_padding = false, ignore_errors = false, union_by_name = true, hive_partitioning = false, nullstr = [%s]",
		Literal(d.delimiter()), !d.Headless, strings.Join(nulls, ", "))
}

func (d Dialect) delimiter() string {
	if d.Delimiter == "" {
		return ","
	}
	return d.Delimiter
}

func gz(paths []string) string {
	if strings.HasSuffix(strings.ToLower(paths[0]), ".gz") {
		return ", compression = 'gzip'"
	}
	return ", compression = 'uncompressed'"
}

// escapeGlob makes DuckDB take a path literally: it reads *, ? and [ as a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}
