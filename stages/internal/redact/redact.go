// Package redact keeps secrets out of errors. Drivers put addresses, and sometimes whole URLs, into theirs; what they
// say is kept as far as it names no secret. The package refuses to know where a secret comes from.
package redact

import (
	"net/url"
	"strings"
)

const mark = "[secret]"

// Error returns err with every secret cut out of its text, in the spellings that URLs give it. What errors.Is and
// errors.As find stays.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := Text(err.Error(), secrets...)
	if text == err.Error() {
		return err
	}
	return &redacted{text: text, err: err}
}

// Text returns s with every secret cut out.
func Text(s string, secrets ...string) string {
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
			if form != "" {
				s = strings.ReplaceAll(s, form, mark)
			}
		}
	}
	return s
}

type redacted struct {
	text string
	err  error
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.err }
