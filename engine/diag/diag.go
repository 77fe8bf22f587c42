package diag

import (
	"fmt"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// Code is a stable name of a mistake, such as "config.unknown_type". It rides in hcl.Diagnostic.Extra.
type Code string

// Error returns an error diagnostic. subject may be nil where there is no place to point at.
func Error(code Code, subject *hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...),
		Subject: subject, Extra: code}
}

// Warning returns a warning diagnostic.
func Warning(code Code, subject *hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := Error(code, subject, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// CodeOf returns the code of d, or "hcl.syntax" for diagnostics of the HCL parser and decoder.
func CodeOf(d *hcl.Diagnostic) Code {
	if c, ok := d.Extra.(Code); ok {
		return c
	}
	return "hcl.syntax"
}

// Suggest returns the candidate that given most likely stood for, or "".
func Suggest(given string, candidates []string) string {
	best, bestDist := "", 4
	for _, c := range candidates {
		d := levenshtein.Distance(given, c, nil)
		if d < bestDist && d <= (len(c)+1)/2 {
			best, bestDist = c, d
		}
	}
	return best
}

// DidYouMean returns ` Did you mean "x"?` with a leading space, or "".
func DidYouMean(given string, candidates []string) string {
	if s := Suggest(given, candidates); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return ""
}
