// Command generate writes the reference pages below docs/reference from the schemas of the program itself.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"pipe/docs/reference"
)

func main() {
	for name, page := range reference.Pages() {
		if err := os.WriteFile(filepath.Join("docs", "reference", name), []byte(page), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
