package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/durable"
)

// The files that say what the others must hold.
const (
	checksumsFile = "checksums.json"
	sumsFile      = "SHA256SUMS"
)

// source is one file to publish and where its content lies.
type source struct {
	artifact.File
	from string
}

// metadata is the block of checksums.json that is not compared: it says how the version came to be.
type metadata struct {
	ModelVersion   string        `json:"model_version"`
	Algorithm      string        `json:"algorithm"`
	PublishedAt    string        `json:"published_at"`
	PublishedBy    string        `json:"published_by"`
	Publisher      string        `json:"publisher"` // pipeline/environment/address
	Run            string        `json:"run"`
	PlanDigest     digest.Digest `json:"plan_digest"`
	SourceRevision string        `json:"source_revision,omitempty"`
	IdempotencyKey string        `json:"idempotency_key"`
}

func metadataOf(env stage.Env, version, key string) metadata {
	return metadata{ModelVersion: version, Algorithm: "sha256", PublishedAt: env.Now().UTC().Format(time.RFC3339),
		PublishedBy: env.Run.Actor, Publisher: publisher(env.Run), Run: env.Run.ID, PlanDigest: env.Run.PlanDigest,
		SourceRevision: env.Run.SourceRevision, IdempotencyKey: key}
}

// collect lists the files of the model and, in subdirectories, those of the extra artifacts, sorted by path.
func collect(model stage.Input, extra stage.Inputs) ([]source, error) {
	var all []source
	add := func(dir string, in stage.Input) {
		for _, f := range in.Artifact.Files {
			s := source{File: f, from: in.Path(f.Path)}
			s.Path = path.Join(dir, f.Path)
			all = append(all, s)
		}
	}
	add("", model)
	for _, in := range extra {
		dir, err := subdirectory(in.Label)
		if err != nil {
			return nil, err
		}
		add(dir, in)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	for i, s := range all {
		switch {
		case s.Path == checksumsFile || s.Path == sumsFile:
			return nil, fmt.Errorf("an artifact holds a file %s, which this publish writes itself: rename it in the stage that makes it", s.Path)
		case strings.ContainsAny(s.Path, "\\\n\r"):
			return nil, fmt.Errorf("the file name %q can't be published: it has a backslash or a line break", s.Path)
		case i > 0 && all[i-1].Path == s.Path:
			return nil, fmt.Errorf("two artifacts hold a file %s: give the key in extra another name", s.Path)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is nothing to publish: the artifacts have no files")
	}
	return all, nil
}

// subdirectory spells extra["backtest"]["EURUSD"] as backtest/EURUSD.
func subdirectory(label string) (string, error) {
	rest := strings.TrimPrefix(label, "extra")
	var parts []string
	for rest != "" {
		quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(rest, "["))
		number := ""
		if err != nil {
			number, _, _ = strings.Cut(strings.TrimPrefix(rest, "["), "]")
			quoted = number
		} else if number, err = strconv.Unquote(quoted); err != nil {
			return "", err
		}
		if number == "" || number == "." || number == ".." || strings.ContainsAny(number, `/\`) {
			return "", fmt.Errorf("%q in extra can't name a subdirectory: use a plain name without slashes", number)
		}
		parts = append(parts, number)
		rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(rest, "["), quoted), "]")
	}
	return path.Join(parts...), nil
}

func listed(sources []source) []artifact.File {
	files := make([]artifact.File, len(sources))
	for i, s := range sources {
		files[i] = s.File
	}
	return files
}

// write fills dir, which must not exist, and syncs everything in it.
func write(ctx context.Context, dir string, want intent, sources []source) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, s := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(dir, filepath.FromSlash(s.Path)), s); err != nil {
			return err
		}
	}
	sums, err := checksums(want)
	if err != nil {
		return err
	}
	if err := durable.Create(filepath.Join(dir, checksumsFile), bytes.NewReader(sums), 0o644); err != nil {
		return err
	}
	text := sumsText(want.Files) + sumsLine(digest.Bytes(sums), checksumsFile)
	if err := durable.Create(filepath.Join(dir, sumsFile), strings.NewReader(text), 0o644); err != nil {
		return err
	}
	return chmodAndSync(dir)
}

// copyFile copies one file and proves that the copy is what the artifact says.
func copyFile(to string, s source) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.Open(s.from)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	err = durable.Create(to, io.TeeReader(f, sum), 0o644)
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && got != s.Digest.Hex() {
		err = fmt.Errorf("%s does not have the digest %s: it was changed while it was read", s.Path, s.Digest.Short())
	}
	return err
}

func chmodAndSync(dir string) error {
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(p, 0o755)
		}
		return err
	})
	if err != nil {
		return err
	}
	return durable.SyncTree(dir)
}

// checksums is the content of checksums.json.
func checksums(want intent) ([]byte, error) {
	doc := struct {
		Files    map[string]string `json:"files"`
		Metadata metadata          `json:"metadata"`
	}{map[string]string{}, want.Metadata}
	for _, f := range want.Files {
		doc.Files[f.Path] = f.Digest.Hex()
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}

func sumsText(files []artifact.File) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(sumsLine(f.Digest, f.Path))
	}
	return b.String()
}

func sumsLine(d digest.Digest, name string) string { return d.Hex() + "  " + name + "\n" }
