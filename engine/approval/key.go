package approval

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Key is a public key that may approve.
type Key struct {
	verifier note.Verifier
	Expires  time.Time // the first moment at which it counts no longer; zero: never
}

// Name is whose key it is.
func (k Key) Name() string { return k.verifier.Name() }

// ID names the key: its owner and the hash of the key.
func (k Key) ID() string { return fmt.Sprintf("%s+%08x", k.verifier.Name(), k.verifier.KeyHash()) }

// expiry stands between a key and the day it ends.
const expiry = " expires="

// ParseKey reads "NAME+HASH+KEY", as NewKey gives it, with " expires=2026-12-31" behind it where the key ends with that day
// (UTC).
func ParseKey(text string) (Key, error) {
	text, day, ends := strings.Cut(text, expiry)
	v, err := note.NewVerifier(text)
	if err != nil {
		return Key{}, fmt.Errorf("it is no public key: pipe approve --new-key NAME writes a key pair and prints the public one, as NAME+HASH+KEY")
	}
	k := Key{verifier: v}
	if ends {
		last, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return Key{}, fmt.Errorf("the day %q of its end must be written as YYYY-MM-DD", day)
		}
		k.Expires = last.AddDate(0, 0, 1)
	}
	return k, nil
}

// NewKey makes a key pair: the private one to be kept in a file of its owner, the public one to stand in plan files.
func NewKey(name string) (private, public string, err error) {
	if name == "" || strings.ContainsAny(name, " +\t\r\n") {
		return "", "", fmt.Errorf("%q cannot name a key: a name has no space and no plus sign, such as alice or alice@example.org", name)
	}
	return note.GenerateKey(rand.Reader, name)
}

// same reports whether two names are one person's, whatever host or domain stands behind the at sign. It is better to
// refuse one who is somebody else than to accept the author.
func same(a, b string) bool {
	a, _, _ = strings.Cut(a, "@")
	b, _, _ = strings.Cut(b, "@")
	return strings.EqualFold(a, b)
}
