// Package reference renders the reference pages of the language from the schemas that decode it, so that the pages can't
// say anything else than the program does.
package reference
