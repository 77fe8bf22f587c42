package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Digest is "sha256:" and 64 lower-case hexadecimal digits. The zero Digest means "none".
type Digest string

const prefix = "sha256:"

// Bytes returns the digest of b.
func Bytes(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(prefix + hex.EncodeToString(sum[:]))
}

// Reader returns the digest of all that r holds, and its length in bytes.
func Reader(r io.Reader) (Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return "", n, err
	}
	return Digest(prefix + hex.EncodeToString(h.Sum(nil))), n, nil
}

// File returns the digest of the file's content, and its size in bytes.
func File(path string) (Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return Reader(f)
}

// JSON returns the digest of the canonical JSON of v. It panics if v cannot be encoded, which is a mistake of the
// program: only plain data is digested.
func JSON(v any) Digest {
	b, err := Canonical(v)
	if err != nil {
		panic(fmt.Sprintf("digest.JSON: %v", err))
	}
	return Bytes(b)
}

// Canonical returns the canonical JSON of v: keys of maps sorted, fields of structs in their order, no insignificant
// space, no HTML escapes, no newline at the end. Raw messages inside v are compacted but keep the order of their keys.
func Canonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Hex returns the 64 digits without the prefix.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), prefix) }

// Short returns the first 12 digits, for people.
func (d Digest) Short() string {
	h := d.Hex()
	if len(h) > 12 {
		h = h[:12]
	}
	return h
}

// Parse checks the spelling of a digest.
func Parse(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, prefix)
	if !ok || len(h) != 2*sha256.Size || strings.Trim(h, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is no digest: it must be %q and 64 hexadecimal digits", s, prefix)
	}
	return Digest(s), nil
}
