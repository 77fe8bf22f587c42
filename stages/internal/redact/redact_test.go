package redact_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pipe/stages/internal/redact"
)

func TestErrorCutsEverySpelling(t *testing.T) {
	err := fmt.Errorf("dial p@ss/w0rd and p%%40ss%%2Fw0rd: %w", context.Canceled)
	got := redact.Error(err, "p@ss/w0rd", "")
	if want := "dial [secret] and [secret]: context canceled"; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(got, context.Canceled) {
		t.Error("the cause is lost")
	}
	if plain := errors.New("nothing to hide"); redact.Error(plain, "secret") != plain {
		t.Error("an error without a secret was changed")
	}
}
