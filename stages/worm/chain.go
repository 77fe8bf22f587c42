package worm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"pipe/engine/digest"
	"pipe/stages/internal/durable"
)

const (
	kind      = "model_publish"
	temporary = ".writing-"
)

// Report is what Verify found.
type Report struct {
	Records int
	Head    digest.Digest // of the last record's bytes, "" if there is none
}

// stored is a record as it lies on disk.
type stored struct {
	Record
	path   string // below the root, with slashes
	digest digest.Digest
	mode   fs.FileMode
}

// Verify checks every record below root: that it can be read, is read-only, lies where its content says, and continues
// the chain. The error joins all that is wrong.
func Verify(root string) (Report, error) {
	records, problems, err := load(root)
	if err != nil {
		return Report{}, err
	}
	for _, r := range records {
		if r.mode.Perm()&0o222 != 0 {
			problems = append(problems, fmt.Errorf("%s can be written to (mode %04o)", r.path, r.mode.Perm()))
		}
	}
	problems = append(problems, chain(records)...)
	rep := Report{Records: len(records)}
	if len(records) > 0 {
		rep.Head = records[len(records)-1].digest
	}
	return rep, errors.Join(problems...)
}

// load reads all records, in the order of their numbers, and says which files are none.
func load(root string) (records []stored, problems []error, err error) {
	dir := filepath.Join(root, kind)
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		r, bad, err := read(p, filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		if bad != nil {
			problems = append(problems, bad)
			return nil
		}
		records = append(records, r)
		return nil
	})
	sort.SliceStable(records, func(i, j int) bool { return records[i].Seq < records[j].Seq })
	return records, problems, err
}

// read reads one record. bad says what is wrong with the content, err that it can't be had.
func read(file, rel string) (r stored, bad, err error) {
	info, err := os.Lstat(file)
	if err != nil {
		return r, nil, err
	}
	if !info.Mode().IsRegular() {
		return r, fmt.Errorf("%s is no regular file", rel), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return r, nil, err
	}
	r = stored{path: rel, digest: digest.Bytes(b), mode: info.Mode()}
	if err := json.Unmarshal(b, &r.Record); err != nil {
		return r, fmt.Errorf("%s is no record: %w", rel, err), nil
	}
	if want := recordPath(r.Record); want != rel {
		return r, fmt.Errorf("%s says that it is %s: it was changed or moved", rel, want), nil
	}
	return r, nil, nil
}

// chain says where the records do not continue each other.
func chain(records []stored) (problems []error) {
	var prev digest.Digest
	for i, r := range records {
		switch want := int64(i + 1); {
		case i > 0 && r.Seq == records[i-1].Seq:
			problems = append(problems, fmt.Errorf("%s and %s both have the number %d", records[i-1].path, r.path, r.Seq))
		case i > 0 && r.Seq != records[i-1].Seq+1, i == 0 && r.Seq != want:
			problems = append(problems, fmt.Errorf("records are missing before %s, which has the number %d", r.path, r.Seq))
		case r.Prev != prev:
			problems = append(problems, fmt.Errorf("%s does not continue the record before it: one of the two was changed", r.path))
		}
		prev = r.digest
	}
	return problems
}

// recordPath is where a record lies, below the root.
func recordPath(r Record) string {
	at := r.At.UTC()
	id := r.Key
	if len(id) > 8 {
		id = id[:8]
	}
	return path.Join(kind, at.Format("2006"), at.Format("200601"), fmt.Sprintf("%s_%s_%s.json", kind, at.Format("20060102T150405Z"), id))
}

// appendRecord writes rec as the next of the chain, unless it is there already. Processes that share the root wait for
// each other. A chain that is broken is not continued.
func appendRecord(ctx context.Context, root string, rec Record) (result, error) {
	if err := durable.MkdirAll(filepath.Join(root, kind), 0o755); err != nil {
		return result{}, err
	}
	release, err := durable.Lock(ctx, filepath.Join(root, kind))
	if err != nil {
		return result{}, err
	}
	defer release()
	records, problems, err := load(root)
	if err != nil {
		return result{}, err
	}
	if problems = append(problems, chain(records)...); len(problems) > 0 {
		return result{}, fmt.Errorf("the records below %s are damaged, and nothing is added to them: %w; restore them from a backup", root, errors.Join(problems...))
	}
	rel := recordPath(rec)
	rec.Seq, rec.Prev = 1, ""
	for _, r := range records {
		if r.path == rel {
			if r.Key != rec.Key {
				return result{}, fmt.Errorf("%s exists and records something else", rel)
			}
			return result{Path: rel, Digest: r.digest, Seq: r.Seq}, nil // a process that died wrote it
		}
		rec.Seq, rec.Prev = r.Seq+1, r.digest
	}
	b, err := digest.Canonical(rec)
	if err != nil {
		return result{}, err
	}
	b = append(b, '\n')
	if err := writeOnce(filepath.Join(root, filepath.FromSlash(rel)), b); err != nil {
		return result{}, err
	}
	return result{Path: rel, Digest: digest.Bytes(b), Seq: rec.Seq}, nil
}

// writeOnce creates the file with all of its content at once, and never takes the place of another. The caller holds the
// lock, so what else has a temporary name was left by a process that died.
func writeOnce(file string, b []byte) error {
	dir := filepath.Dir(file)
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	tmp := filepath.Join(dir, temporary+filepath.Base(file))
	if err := durable.Create(tmp, bytes.NewReader(b), 0o444); err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, file); err != nil { // fails if the file exists
		return err
	}
	return durable.SyncDir(dir)
}
