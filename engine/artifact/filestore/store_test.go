package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"pipe/engine/artifact"
	"pipe/engine/artifact/artifacttest"
	"pipe/engine/digest"
)

func open(location string) (artifact.Store, error) { return Open(location) }

func TestMain(m *testing.M) { os.Exit(artifacttest.Main(m, open)) }

func blobPath(location string, d digest.Digest) string {
	return filepath.Join(location, "v1", "blobs", d.Hex()[:2], d.Hex())
}

func TestSuite(t *testing.T) {
	artifacttest.Run(t, artifacttest.Backend{
		New:  func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") },
		Open: open,
		Damage: func(t *testing.T, location string, d digest.Digest) {
			if err := os.Chmod(blobPath(location, d), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(blobPath(location, d), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte{'#'}, 0); err != nil {
				t.Fatal(err)
			}
		},
		Lose: func(t *testing.T, location string, d digest.Digest) {
			if err := os.Remove(blobPath(location, d)); err != nil {
				t.Fatal(err)
			}
		},
	})
}
