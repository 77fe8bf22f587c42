package input

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/duck"
	"pipe/stages/internal/glob"
)

type config struct {
	Path       cty.Value `cty:"path"`
	Format     *string   `cty:"format"`
	AllowEmpty bool      `cty:"allow_empty"`
	CSV        *dialect  `cty:"csv"`
}

type dialect struct {
	Delimiter *string  `cty:"delimiter"`
	Header    *bool    `cty:"header"`
	Null      []string `cty:"null"`
}

// Type is the type of every input block.
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Input, Label: "file", Rev: 1,
		Spec: stage.Schema{
			Doc: doc, Table: true, Example: example,
			Attrs: []stage.Attr{
				{Name: "path", Type: cty.DynamicPseudoType, Required: true, Path: true,
					Doc: "File, or pattern with `*`, `?`, `[a-z]` and `**`, or a list of them. Relative paths start at the working directory."},
				{Name: "format", Type: cty.String, OneOf: []string{"json", "ndjson", "csv", "parquet"},
					Doc: "`json` (an array of objects), `ndjson` (one object a line), `csv` or `parquet`. The default goes by the file's ending; all but Parquet may be packed with gzip (`.gz`)."},
				{Name: "allow_empty", Type: cty.Bool, Default: cty.False,
					Doc: "Whether a table without rows is right. Otherwise it is an error, because it mostly means that a delivery failed."},
			},
			Blocks: []stage.Block{{
				Name: "csv", Doc: "How a CSV file is written, if it is not comma-separated with a header line.",
				Attrs: []stage.Attr{
					{Name: "delimiter", Type: cty.String, Doc: "One character between fields; `,` by default."},
					{Name: "header", Type: cty.Bool, Doc: "Whether the first line names the columns; `true` by default. Otherwise they are called `column0`, `column1` and so on (`column00` from ten columns)."},
					{Name: "null", Type: cty.List(cty.String), Doc: "Spellings that mean a missing value, besides nothing at all, such as `[\"NA\", \"-\"]`."},
				},
			}},
		},
		New: newRunner,
	}
}

const doc = `Reads a table from one file or several.

The content is digested while planning: nothing runs again while it is the same, whatever the files are called and
whenever they were written. The files are read strictly: a CSV row with too many or too few fields, a JSON file that is cut
off or holds anything but objects, a damaged Parquet file and a table without rows are errors.

One file becomes the artifact as it is, under its own name. Several files, and CSV files that are written in another way
than comma-separated with a header line, become one ` + "`data.parquet`" + `: the union of their columns by name, the rows in
the order of the files' paths.`

const example = `input "sample" {
  path   = "samples/data/sample_canonical.json"
  format = "json"
}

input "deliveries" {
  path = ["deliveries/2025-*.csv.gz", "late/*.csv.gz"]
  csv {
    delimiter = ";"
    null      = ["NA"]
  }
}
`

type runner struct {
	patterns   []string
	format     duck.Format // "" goes by the ending
	dialect    duck.Dialect
	foreign    bool // the dialect is not the one that stages below read
	allowEmpty bool
}

func newRunner(c config) (stage.Runner, error) {
	r := &runner{allowEmpty: c.AllowEmpty}
	var err error
	if r.patterns, err = patterns(c.Path); err != nil {
		return nil, err
	}
	if c.Format != nil {
		r.format = duck.Format(*c.Format)
	}
	if c.CSV != nil {
		if r.format != "" && r.format != duck.CSV {
			return nil, stage.Attrf("csv", "a csv block stands here, and the format is %q: take one of them away", r.format)
		}
		if r.dialect, err = c.CSV.dialect(); err != nil {
			return nil, err
		}
		r.format, r.foreign = duck.CSV, r.dialect.Headless || r.dialect.Delimiter != "," || len(r.dialect.Null) > 0
	}
	return r, nil
}

func (d dialect) dialect() (duck.Dialect, error) {
	out := duck.Dialect{Delimiter: ",", Null: d.Null}
	if d.Header != nil {
		out.Headless = !*d.Header
	}
	if d.Delimiter != nil {
		out.Delimiter = *d.Delimiter
		if n := len(out.Delimiter); n != 1 || strings.Contains("\"\n\r", out.Delimiter) {
			return out, &stage.AttrError{Path: cty.GetAttrPath("csv").GetAttr("delimiter"),
				Err: fmt.Errorf("the delimiter must be one ASCII character that is no quotation mark and no line break, and is %q", out.Delimiter)}
		}
	}
	return out, nil
}

// patterns reads the attribute path: a string or a list of strings.
func patterns(v cty.Value) ([]string, error) {
	if v.IsNull() {
		return nil, stage.Attrf("path", "the path is null: name a file")
	}
	if v.Type() == cty.String {
		return nonEmpty([]string{v.AsString()})
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		return nil, stage.Attrf("path", "the path must be a string or a list of strings, and is %s", v.Type().FriendlyName())
	}
	var list []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			return nil, stage.Attrf("path", "each of the paths must be a string, and one is %s", e.Type().FriendlyName())
		}
		list = append(list, e.AsString())
	}
	return nonEmpty(list)
}

func nonEmpty(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, stage.Attrf("path", "the list of paths is empty: name a file")
	}
	for _, p := range list {
		if strings.TrimSpace(p) == "" {
			return nil, stage.Attrf("path", "a path is empty: name a file")
		}
	}
	return list, nil
}

// Observe implements stage.Observer.
func (r *runner) Observe(ctx context.Context, env stage.Env) (digest.Digest, error) {
	files, err := r.files(env)
	if err != nil {
		return "", err
	}
	var seen []digest.Digest
	for _, f := range files {
		d, err := glob.Digest(ctx, f.path)
		if err != nil {
			return "", fmt.Errorf("%s cannot be read: %w", f.shown, err)
		}
		seen = append(seen, d)
	}
	return observation(seen), nil
}

// observation names the content of all files. Their names are no part of it; their order is.
func observation(seen []digest.Digest) digest.Digest {
	return digest.JSON(struct {
		Files []digest.Digest `json:"files"`
	}{seen})
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, _ stage.Inputs, out *stage.Output) error {
	files, err := r.files(env)
	if err != nil {
		return err
	}
	one := len(files) == 1 && !r.foreign
	format := files[0].format
	var copies []string
	var seen []digest.Digest
	for i, f := range files {
		dst := out.Path(f.name)
		if !one { // a directory for each, because base names may be equal and stand in errors
			dst = filepath.Join(env.Scratch, fmt.Sprintf("%06d", i), f.name)
		}
		d, err := glob.Copy(ctx, f.path, dst, 0o644)
		if err != nil {
			return fmt.Errorf("copying %s: %w", f.shown, err)
		}
		copies, seen = append(copies, dst), append(seen, d)
	}
	if env.Observed != "" && observation(seen) != env.Observed {
		return fmt.Errorf("%s %w: plan again to see what that means", shown(files), stage.ErrChanged)
	}
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := r.table(ctx, db, copies, format)
	if err != nil {
		return err
	}
	if one {
		out.Table(files[0].name, rows)
		return nil
	}
	return r.combine(ctx, db, copies, format, out)
}

// table reads everything once, so that what is not a table stops here and not in a stage below, and counts the rows.
func (r *runner) table(ctx context.Context, db *duck.DB, paths []string, format duck.Format) (int64, error) {
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if format == duck.CSV {
			if err := duck.CheckCSV(p, r.dialect); err != nil {
				return 0, err
			}
		}
	}
	t, err := db.TableOf(ctx, paths, format, r.dialect)
	if err != nil {
		return 0, err
	}
	rows, err := db.Verify(ctx, t)
	if err != nil {
		return 0, inFile(err, t.Name)
	}
	if rows == 0 && !r.allowEmpty {
		return 0, fmt.Errorf("%s holds no rows: set allow_empty = true if that is right", t.Name)
	}
	return rows, nil
}

// inFile names the file in errors that do not.
func inFile(err error, name string) error {
	if strings.Contains(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (r *runner) combine(ctx context.Context, db *duck.DB, paths []string, format duck.Format, out *stage.Output) error {
	t, err := db.TableOf(ctx, paths, format, r.dialect)
	if err != nil {
		return err
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("%s holds no columns, so no table can be made of it", t.Name)
	}
	const name = "data.parquet"
	rows, err := db.WriteParquet(ctx, out.Path(name), "SELECT * FROM "+t.SQL)
	if err != nil {
		return err
	}
	out.Table(name, rows)
	return nil
}
