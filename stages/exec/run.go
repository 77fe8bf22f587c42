package exec

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
	"pipe/stages/internal/glob"
)

// ownDir is where links to inputs lie in the program's directory.
const ownDir = ".pipe"

// own reports whether a path below the program's directory is pipe's.
func own(p string) bool { return p == ownDir || strings.HasPrefix(p, ownDir+"/") }

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spawns implements stage.Spawner.
func (*runner) Spawns() {}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	dir := filepath.Join(env.Scratch, "run")
	tmp := filepath.Join(env.Scratch, "tmp")
	for _, d := range []string{dir, tmp} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return glob.Plain(err)
		}
	}
	if err := r.copyFiles(ctx, env, dir); err != nil {
		return err
	}
	vars, err := r.link(dir, in)
	if err != nil {
		return err
	}
	vars["HOME"], vars["TMPDIR"], vars["LANG"], vars["TZ"] = dir, tmp, "C.UTF-8", "UTC"
	if _, own := r.plain["PATH"]; !own {
		vars["PATH"] = systemPath
	}
	for n, v := range r.plain {
		vars[n] = v
	}
	var hidden []string
	for _, n := range sortedNames(r.secrets) {
		if vars[n], err = env.Secret(r.secrets[n]); err != nil {
			return err
		}
		hidden = append(hidden, vars[n])
	}
	args := make([]string, len(r.Command))
	for i, a := range r.Command {
		args[i] = expand(a, vars)
	}
	p := &process{args: args, dir: dir, vars: vars, hidden: hidden, scratch: env.Scratch, log: env.Log, grace: patience}
	if err := p.run(ctx); err != nil {
		return err
	}
	if err := r.collect(ctx, dir, hidden, out); err != nil {
		return err
	}
	return r.describe(ctx, env, out)
}

func (r *runner) copyFiles(ctx context.Context, env stage.Env, dir string) error {
	files, err := r.files(env)
	if err != nil {
		return err
	}
	for i, f := range files {
		mode := os.FileMode(0o644)
		if f.Executable {
			mode = 0o755
		}
		if files[i].Digest, err = glob.Copy(ctx, f.abs, filepath.Join(dir, filepath.FromSlash(f.Path)), mode); err != nil {
			return fmt.Errorf("copying %s: %w", f.Path, err)
		}
	}
	if env.Observed != "" && observation(files) != env.Observed {
		return fmt.Errorf("one of the declared files %w: plan again to see what that means", stage.ErrChanged)
	}
	return nil
}

// link makes links to the inputs and returns pipe's variables. Paths are relative to the program's directory, so that they
// are the same in every run.
func (r *runner) link(dir string, in stage.Inputs) (map[string]string, error) {
	vars := map[string]string{}
	for _, o := range r.outputs {
		vars["PIPE_OUTPUT_"+o.name] = o.path
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(path.Dir(o.path))), 0o755); err != nil {
			return nil, glob.Plain(err)
		}
	}
	for _, n := range r.inputs {
		group := in.Group(n)
		var table, files string
		var err error
		if len(group) == 1 && group[0].Label == n {
			table, files, err = linkOne(dir, n, group[0])
		} else {
			table, files, err = linkGroup(dir, n, group)
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", n, err)
		}
		vars["PIPE_INPUT_"+n], vars["PIPE_INPUT_DIR_"+n] = table, files
	}
	return vars, nil
}

func linkOne(dir, name string, in stage.Input) (table, files string, err error) {
	files = path.Join(ownDir, "dir", name)
	if err := symlink(in.Dir, filepath.Join(dir, files)); err != nil {
		return "", "", err
	}
	if in.Table() == "" {
		return files, files, nil
	}
	table = path.Join(ownDir, "in", name+ending(in.Artifact.Main))
	return table, files, symlink(in.Table(), filepath.Join(dir, table))
}

// linkGroup makes a directory of tables named by key, and one of directories.
func linkGroup(dir, name string, group stage.Inputs) (tables, dirs string, err error) {
	tables, dirs = path.Join(ownDir, "in", name), path.Join(ownDir, "dir", name)
	for _, in := range group {
		key := keyOf(in.Label)
		if key == "" || key[0] == '.' || strings.ContainsAny(key, "/\\\x00") {
			return "", "", fmt.Errorf("the key %q cannot name a file", key)
		}
		if err := symlink(in.Dir, filepath.Join(dir, dirs, key)); err != nil {
			return "", "", err
		}
		if in.Table() == "" {
			continue
		}
		if err := symlink(in.Table(), filepath.Join(dir, tables, key+ending(in.Artifact.Main))); err != nil {
			return "", "", err
		}
	}
	return tables, dirs, os.MkdirAll(filepath.Join(dir, tables), 0o755)
}

func symlink(target, link string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return glob.Plain(err)
	}
	if err := os.Symlink(target, link); err != nil {
		return fmt.Errorf("linking it into the program's directory: %w", err)
	}
	return nil
}

// ending returns the ending of a table's name, with .gz where it has that.
func ending(name string) string {
	rest, gz := strings.CutSuffix(path.Base(name), ".gz")
	if gz {
		return path.Ext(rest) + ".gz"
	}
	return path.Ext(rest)
}

// keyOf returns what stands in the brackets of a label.
func keyOf(label string) string {
	_, k, _ := strings.Cut(label, "[")
	k = strings.TrimSuffix(k, "]")
	if s, err := strconv.Unquote(k); err == nil {
		return s
	}
	return k
}

// collect takes the outputs.
func (r *runner) collect(ctx context.Context, dir string, hidden []string, out *stage.Output) error {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return glob.Plain(err)
	}
	for _, o := range r.outputs {
		src := filepath.Join(dir, filepath.FromSlash(o.path))
		real, err := filepath.EvalSymlinks(src)
		if err != nil {
			return fmt.Errorf("the program ended well and did not write its output %q: there is no %s%s", o.name, o.path, r.written(dir))
		}
		info, err := os.Stat(real)
		if err != nil {
			return glob.Plain(err)
		}
		rel, err := filepath.Rel(root, real)
		switch {
		case err != nil || !filepath.IsLocal(rel):
			return fmt.Errorf("output %q: %s is a link out of the program's directory: write the file itself", o.name, o.path)
		case !info.Mode().IsRegular():
			return fmt.Errorf("output %q: %s is no file", o.name, o.path)
		}
		if _, err := glob.Copy(ctx, real, out.Path(o.path), 0o644); err != nil {
			return fmt.Errorf("taking output %q: %w", o.name, err)
		}
		if found, err := holds(out.Path(o.path), hidden); err != nil {
			return err
		} else if found {
			return fmt.Errorf("output %q holds the value of a secret: an artifact must not", o.name)
		}
	}
	return nil
}

// written ends a sentence about a missing output with what there is.
func (r *runner) written(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if e.Name() != ownDir && len(names) < 10 {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return ". Its directory is empty"
	}
	return ". In its directory are " + strings.Join(names, ", ")
}

// describe finds the table and the metrics among the outputs.
func (r *runner) describe(ctx context.Context, env stage.Env, out *stage.Output) error {
	if r.Metrics != nil {
		if err := metrics(out, r.Outputs[*r.Metrics]); err != nil {
			return fmt.Errorf("metrics, output %q: %w", *r.Metrics, err)
		}
	}
	name := r.table(out)
	if name == "" {
		return nil
	}
	db, err := duck.Open(ctx, duck.Options{Scratch: env.Scratch})
	if err != nil {
		return err
	}
	defer db.Close()
	if duck.FormatOf(name) == duck.CSV {
		if err := duck.CheckCSV(out.Path(name), duck.Dialect{}); err != nil {
			return fmt.Errorf("the table: %w", err)
		}
	}
	t, err := db.Table(ctx, out.Path(name))
	if err != nil {
		return fmt.Errorf("the table: %w", err)
	}
	rows, err := db.Verify(ctx, t)
	if err != nil {
		return fmt.Errorf("the table: %w", err)
	}
	out.Table(name, rows)
	return nil
}

// table returns the path of the output that is the table, or "".
func (r *runner) table(out *stage.Output) string {
	if r.Table != nil {
		return r.Outputs[*r.Table]
	}
	var found []string
	for _, o := range r.outputs {
		if r.Metrics != nil && o.name == *r.Metrics || duck.FormatOf(o.path) == "" {
			continue
		}
		if duck.FormatOf(o.path) == duck.JSON && !isArray(out.Path(o.path)) { // a document
			continue
		}
		found = append(found, o.path)
	}
	if len(found) != 1 {
		return ""
	}
	return slices.Max(found)
}
