package digest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pipe/engine/digest"
)

// The digests are those of FIPS 180-2's examples.
func TestPublishedValues(t *testing.T) {
	for text, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		d := digest.Bytes([]byte(text))
		if d.Hex() != want || d != digest.Digest("sha256:"+want) || d.Short() != want[:12] {
			t.Errorf("%q: %s", text, d)
		}
		p := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, n, err := digest.File(p); got != d || n != int64(len(text)) || err != nil {
			t.Errorf("file: %s %d %v", got, n, err)
		}
		if back, err := digest.Parse(string(d)); back != d || err != nil {
			t.Errorf("parse: %v", err)
		}
	}
}

func TestCanonical(t *testing.T) {
	got, err := digest.Canonical(map[string]any{"b": json.RawMessage(`{"z": 1,  "a": "<&>"}`), "a": []any{1, "x<y", nil}})
	if want := `{"a":[1,"x<y",null],"b":{"z":1,"a":"<&>"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "abc", "sha256:", "sha256:" + strings.Repeat("g", 64), "sha256:" + strings.Repeat("A", 64), "md5:" + strings.Repeat("a", 64)} {
		if _, err := digest.Parse(s); err == nil {
			t.Errorf("%q is a digest", s)
		}
	}
}
