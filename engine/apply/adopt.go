package apply

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// adopt takes in what an import block names as the artifact of the node. The store does not remember it for the node's
// fingerprint: that it is what the node would make is this pipeline's word alone.
func (n *nodeRun) adopt(ctx context.Context) error {
	n.outcome = Imported
	in := n.change.Import
	if in.ID != "" {
		a, err := n.Artifacts.Get(ctx, in.ID)
		if err != nil {
			return fmt.Errorf("import the artifact %s: %w", in.ID.Short(), err)
		}
		n.artifact = a
		return nil
	}
	from, err := n.env("").Path(in.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(n.scratch, "import")
	tables, err := copyTree(from, dir)
	if err != nil {
		return fmt.Errorf("import %s: %w", in.Path, err)
	}
	now, err := Content(dir)
	if err != nil {
		return err
	}
	if now != in.Digest {
		return fmt.Errorf("import %s: %w: plan again", in.Path, stage.ErrChanged)
	}
	var info artifact.Info
	if len(tables) == 1 {
		info.Main = tables[0]
	}
	n.artifact, err = n.Artifacts.Commit(ctx, dir, info)
	return err
}

// Content digests a file as the one file of a directory, or the regular files of a directory with their paths.
func Content(root string) (digest.Digest, error) {
	type file struct {
		Path   string
		Digest digest.Digest
	}
	list := []file{}
	err := regularFiles(root, func(rel, abs string) error {
		d, _, err := digest.File(abs)
		list = append(list, file{rel, d})
		return err
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("there are no files in it")
	}
	if err != nil {
		return "", err
	}
	return digest.JSON(list), nil
}

// regularFiles calls fn with every regular file below root in the order of their paths; a file stands for itself. Symbolic
// links are refused, because what is behind them is not confined.
func regularFiles(root string, fn func(rel, abs string) error) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		return fn(filepath.Base(root), root)
	}
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", filepath.ToSlash(rel))
		}
		return fn(filepath.ToSlash(rel), p)
	})
}

// copyTree copies the files to dst and returns those that are tables by their ending.
func copyTree(from, dst string) (tables []string, err error) {
	err = regularFiles(from, func(rel, abs string) error {
		switch strings.ToLower(path.Ext(rel)) {
		case ".json", ".ndjson", ".csv", ".parquet":
			tables = append(tables, rel)
		}
		return copyFile(abs, filepath.Join(dst, filepath.FromSlash(rel)))
	})
	return tables, err
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
