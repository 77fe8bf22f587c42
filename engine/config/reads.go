package config

import (
	"errors"
	"io/fs"
	"os"
	"sort"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"pipe/engine/digest"
	"pipe/engine/stage"
)

// read is one thing outside of the options that a Load looked at.
type read struct{ Kind, Name string }

// The kinds of reads. What was found is kept as a digest, and of secrets only whether they are set.
const (
	readFile   = "file"   // the bytes of a file
	readKind   = "kind"   // whether a path is a file, a directory or nothing
	readPlans  = "plans"  // the plan files of a directory
	readTree   = "tree"   // the files below a directory
	readInside = "inside" // where a path leads
	readEnv    = "env"
	readSecret = "secret"
	readTopic  = "topic"
)

// readSet is all that a Load read, with digests of what it found. A file that is read twice keeps the first digest, so that
// one which changed between is seen as changed.
type readSet map[read]digest.Digest

func (s readSet) add(kind, name string, found digest.Digest) {
	r := read{kind, name}
	if _, known := s[r]; !known {
		s[r] = found
	}
}

// file reads a file.
func (s readSet) file(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	s.add(readFile, path, fileDigest(b, err))
	return b, err
}

// sorted returns the reads in one order.
func (s readSet) sorted() []read {
	list := make([]read, 0, len(s))
	for r := range s {
		list = append(list, r)
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].Kind < list[j].Kind || list[i].Kind == list[j].Kind && list[i].Name < list[j].Name
	})
	return list
}

func fileDigest(b []byte, err error) digest.Digest {
	if err != nil {
		return ""
	}
	return digest.Bytes(b)
}

func kindOf(info fs.FileInfo, err error) digest.Digest {
	switch {
	case err != nil && errors.Is(err, fs.ErrNotExist):
		return "absent"
	case err != nil:
		return "unreadable"
	case info.IsDir():
		return "directory"
	case info.Mode().IsRegular():
		return "file"
	}
	return "other"
}

func envDigest(value string, set bool) digest.Digest {
	if !set {
		return ""
	}
	return digest.Bytes([]byte(value))
}

func secretDigest(value string, set bool) digest.Digest {
	if !set || value == "" {
		return "unset"
	}
	return "set"
}

// topicDigest is "" for a topic that cannot be read or be written down.
func topicDigest(v cty.Value, err error) digest.Digest {
	if err != nil || v == cty.NilVal {
		return ""
	}
	v, _ = v.UnmarkDeep()
	b, err := ctyjson.Marshal(v, cty.DynamicPseudoType)
	if err != nil {
		return ""
	}
	return digest.Bytes(b)
}

func (l *loading) getenv(name string) (string, bool) {
	v, set := l.opts.Getenv(name)
	l.reads.add(readEnv, name, envDigest(v, set))
	return v, set
}

// secretSet reports whether a secret is set.
func (l *loading) secretSet(name string) bool {
	found := secretDigest(l.opts.Getenv(name))
	l.reads.add(readSecret, name, found)
	return found == "set"
}

// confine is Env.Path, remembered.
func (l *loading) confine(path string) (string, error) {
	abs, err := l.paths.Path(path)
	l.reads.add(readInside, path, pathDigest(abs, err))
	return abs, err
}

func pathDigest(abs string, err error) digest.Digest {
	if err != nil {
		return ""
	}
	return digest.Bytes([]byte(abs))
}

// look reads again what a Load read, and returns the digest of what is there now. Bytes are those of a file.
func (r read) look(opts LoadOptions, paths stage.Env) (digest.Digest, []byte) {
	switch r.Kind {
	case readFile:
		b, err := os.ReadFile(r.Name)
		return fileDigest(b, err), b
	case readKind:
		return kindOf(os.Stat(r.Name)), nil
	case readPlans:
		names, _ := planNames(r.Name)
		return digest.JSON(names), nil
	case readTree:
		files, _ := filesBelow(r.Name)
		return digest.JSON(files), nil
	case readInside:
		return pathDigest(paths.Path(r.Name)), nil
	case readEnv:
		return envDigest(opts.Getenv(r.Name)), nil
	case readSecret:
		return secretDigest(opts.Getenv(r.Name)), nil
	case readTopic:
		if opts.ConfigTopic != nil {
			return topicDigest(opts.ConfigTopic(r.Name)), nil
		}
	}
	return "", nil
}
