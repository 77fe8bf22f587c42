package approval

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"pipe/engine/digest"
)

// Policy says which approvals a plan needs.
type Policy struct {
	Required      int      `json:"required"` // of different people
	Keys          []string `json:"keys"`     // see ParseKey
	ExcludeAuthor bool     `json:"exclude_author,omitempty"`
}

// Subject is what is approved.
type Subject struct {
	Plan        digest.Digest
	Pipeline    string
	Environment string
	Author      string // who made the plan, "" if that is not recorded
}

// Text is what is signed.
func (s Subject) Text() string {
	return fmt.Sprintf("pipe plan %s\npipeline %s\nenvironment %s\n", s.Plan, s.Pipeline, s.Environment)
}

// Check refuses a policy that nothing can satisfy.
func (p Policy) Check() error {
	people := map[string]bool{}
	for _, text := range p.Keys {
		k, err := ParseKey(text)
		if err != nil {
			return fmt.Errorf("key %q: %w", text, err)
		}
		people[person(k.Name())] = true
	}
	if p.Required < 1 || p.Required > len(people) {
		return fmt.Errorf("%d approvals are required, and the keys are of %d people", p.Required, len(people))
	}
	return nil
}

func person(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return strings.ToLower(name)
}

// RefusedError says why a plan is not approved.
type RefusedError struct {
	Required, Valid int
	Problems        []string // of each signature that does not count
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("the plan needs %d approvals and has %d", e.Required, e.Valid)
	if e.Required == 1 {
		text = "the plan needs an approval and has none"
	}
	if len(e.Problems) > 0 {
		text += " (" + strings.Join(e.Problems, "; ") + ")"
	}
	return text + "; the owner of a key gives one with  pipe approve PLANFILE --key FILE"
}

// Approved is one approval that counts.
type Approved struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// Verify returns the approvals that count, and a *RefusedError if they are not enough. signed is what Sign gave, empty if
// nobody signed.
func (p Policy) Verify(s Subject, signed []byte, now time.Time) ([]Approved, error) {
	keys, err := p.keys()
	if err != nil {
		return nil, err
	}
	refused := &RefusedError{Required: p.Required}
	var approved []Approved
	if len(signed) > 0 {
		signatures, err := read(s, signed)
		if err != nil {
			refused.Problems = []string{err.Error()}
			return nil, refused
		}
		people := map[string]bool{}
		for _, sig := range signatures {
			k, problem := counts(p, keys, s, signed, sig, now)
			if problem != "" {
				refused.Problems = append(refused.Problems, problem)
				continue
			}
			if who := person(k.Name()); !people[who] {
				people[who] = true
				approved = append(approved, Approved{Name: k.Name(), Key: k.ID()})
			}
		}
	}
	if refused.Valid = len(approved); refused.Valid < p.Required {
		return approved, refused
	}
	return approved, nil
}

func (p Policy) keys() ([]Key, error) {
	keys := make([]Key, len(p.Keys))
	for i, text := range p.Keys {
		var err error
		if keys[i], err = ParseKey(text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// counts says which key made a signature, or why it does not count.
func counts(p Policy, keys []Key, s Subject, signed []byte, sig note.Signature, now time.Time) (Key, string) {
	var key Key
	for _, k := range keys {
		if k.Name() == sig.Name && k.verifier.KeyHash() == sig.Hash {
			key = k
			break
		}
	}
	switch {
	case key.verifier == nil:
		return key, fmt.Sprintf("the key %s+%08x is not one of the plan's", sig.Name, sig.Hash)
	case !key.Expires.IsZero() && !now.Before(key.Expires):
		return key, fmt.Sprintf("the key %s has expired", key.ID())
	case p.ExcludeAuthor && s.Author == "":
		return key, "the plan does not say who its author is"
	case p.ExcludeAuthor && same(s.Author, key.Name()):
		return key, fmt.Sprintf("%s is the plan's author", key.Name())
	}
	if n, err := note.Open(signed, note.VerifierList(key.verifier)); err != nil || n.Text != s.Text() {
		return key, fmt.Sprintf("the signature of %s is not valid", key.ID())
	}
	return key, ""
}

// read returns the signatures of a note over the subject. They are not verified.
func read(s Subject, signed []byte) ([]note.Signature, error) {
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil, errors.New("the approvals are malformed")
	}
	if unverified.Note.Text != s.Text() {
		return nil, errors.New("the approvals are of another plan")
	}
	for _, sig := range unverified.Note.UnverifiedSigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return nil, fmt.Errorf("the signature of %s is not spelt as it was written", sig.Name)
		}
	}
	return unverified.Note.UnverifiedSigs, nil
}

// Sign adds the approval of a private key to those of signed, and refuses one that would not count.
func (p Policy) Sign(s Subject, signed []byte, private string, now time.Time) ([]byte, Approved, error) {
	signer, err := note.NewSigner(strings.TrimSpace(private))
	if err != nil {
		return nil, Approved{}, errors.New("the file holds no private key: pipe approve --new-key NAME makes one")
	}
	keys, err := p.keys()
	if err != nil {
		return nil, Approved{}, err
	}
	n := &note.Note{Text: s.Text()}
	if len(signed) > 0 {
		if n.UnverifiedSigs, err = read(s, signed); err != nil {
			return nil, Approved{}, fmt.Errorf("%w: take the file away first", err)
		}
	}
	out, err := note.Sign(n, signer)
	if err != nil {
		return nil, Approved{}, err
	}
	k, problem := counts(p, keys, s, out, note.Signature{Name: signer.Name(), Hash: signer.KeyHash()}, now)
	if problem != "" {
		return nil, Approved{}, &RefusedError{Required: p.Required, Problems: []string{problem}}
	}
	return out, Approved{Name: k.Name(), Key: k.ID()}, nil
}
