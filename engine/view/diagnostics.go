package view

import (
	"bytes"
	"io"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics writes diagnostics with excerpts of their sources.
func Diagnostics(w io.Writer, sources map[string]*hcl.File, diags hcl.Diagnostics, s Style) {
	var buf bytes.Buffer
	writer := hcl.NewDiagnosticTextWriter(&buf, sources, uint(max(0, s.Width)), s.Paint == Coloured)
	_ = writer.WriteDiagnostics(diags) // a buffer takes everything
	w.Write(buf.Bytes())
}
