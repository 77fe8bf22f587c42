package release

import (
	"bytes"
	"encoding/json"
	"os"
	"sort"

	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
)

// ReceiptFile is the name of the receipt in the artifact of a publish.
const ReceiptFile = "receipt.json"

// Facts of receipts.
const (
	FactTarget       = "target"        // the publish type
	FactStatus       = "status"        // what became of the version there
	FactArtifactPath = "artifact_path" // where its files lie
	FactEvent        = "registry_event"
)

// Receipt says what was published where. See the package comment for what it must not hold.
type Receipt struct {
	Target  string            `json:"target"`
	Version string            `json:"version"`
	Status  string            `json:"status"`
	Key     string            `json:"key,omitempty"` // of the effect; equal for equal content at an equal place
	Files   []artifact.File   `json:"files,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// Write leaves the receipt as the artifact of the node, with facts for the nodes below. Empty facts are left out.
func (r Receipt) Write(out *stage.Output, facts map[string]string) error {
	plain, err := digest.Canonical(r)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, plain, "", "  "); err != nil {
		return err
	}
	buf.WriteByte('\n')
	if err := os.WriteFile(out.Path(ReceiptFile), buf.Bytes(), 0o644); err != nil {
		return err
	}
	out.Fact(FactTarget, r.Target)
	out.Fact(ModelVersion, r.Version)
	out.Fact(FactStatus, r.Status)
	names := make([]string, 0, len(facts))
	for name := range facts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if facts[name] != "" {
			out.Fact(name, facts[name])
		}
	}
	return nil
}

// ReadReceipt reads the receipt that a publish left.
func ReadReceipt(last stage.Input) (Receipt, error) {
	var r Receipt
	raw, err := os.ReadFile(last.Path(ReceiptFile))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(raw, &r)
}

// Fact returns the first non-empty fact of that name among the inputs.
func Fact(in stage.Inputs, name string) string {
	for _, i := range in {
		if v := i.Artifact.Facts[name]; v != "" {
			return v
		}
	}
	return ""
}
