package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// contentError says how a published version differs from what it should hold.
type contentError struct {
	dir   string
	diffs []string
}

func (e *contentError) Error() string {
	shown := e.diffs
	more := ""
	if len(shown) > 5 {
		more = fmt.Sprintf(" and %d more", len(shown)-5)
		shown = shown[:5]
	}
	return fmt.Sprintf("version %s exists with other content (%s%s): a published version is never replaced; "+
		"publish under another version, or move that directory away if it should not be there",
		filepath.Base(e.dir), strings.Join(shown, ", "), more)
}

// matches returns nil if dir holds exactly these files and their checksums, whoever published them and when. It hashes
// every file; what the checksum files claim is not believed.
func matches(dir string, files []artifact.File) error {
	want := map[string]digest.Digest{}
	for _, f := range files {
		want[f.Path] = f.Digest
	}
	var diffs []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir(), rel == checksumsFile, rel == sumsFile:
			return nil
		case !d.Type().IsRegular():
			diffs = append(diffs, rel+" is no regular file")
			return nil
		}
		expected, ok := want[rel]
		if !ok {
			diffs = append(diffs, rel+" is not part of it")
			return nil
		}
		delete(want, rel)
		got, _, err := digest.File(p)
		if err == nil && got != expected {
			diffs = append(diffs, rel+" differs")
		}
		return err
	})
	if err != nil {
		return err
	}
	for rel := range want {
		diffs = append(diffs, rel+" is missing")
	}
	sort.Strings(diffs)
	more, err := checksumDiffs(dir, files)
	if diffs = append(diffs, more...); len(diffs) > 0 && err == nil {
		err = stage.Permanent(&contentError{dir, diffs})
	}
	return err
}

// checksumDiffs compares what the checksum files claim.
func checksumDiffs(dir string, files []artifact.File) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, checksumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return []string{checksumsFile + " is missing"}, nil
	}
	if err != nil {
		return nil, err
	}
	var doc struct{ Files map[string]string }
	equal := json.Unmarshal(raw, &doc) == nil && len(doc.Files) == len(files)
	for _, f := range files {
		equal = equal && doc.Files[f.Path] == f.Digest.Hex()
	}
	if !equal {
		return []string{checksumsFile + " differs"}, nil
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if string(sums) != sumsText(files)+sumsLine(digest.Bytes(raw), checksumsFile) {
		return []string{sumsFile + " is missing or differs"}, nil
	}
	return nil, nil
}

// madeBy reports whether the version in dir says that this publisher made it.
func madeBy(dir, publisher string) (bool, error) {
	raw, err := os.ReadFile(filepath.Join(dir, checksumsFile))
	if err != nil {
		return false, err
	}
	var doc struct{ Metadata metadata }
	if err := json.Unmarshal(raw, &doc); err != nil {
		return false, fmt.Errorf("%s: %w", checksumsFile, err)
	}
	return doc.Metadata.Publisher == publisher, nil
}
