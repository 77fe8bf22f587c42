package glob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"pipe/engine/digest"
)

// Digest returns the digest of a file's content.
func Digest(ctx context.Context, path string) (digest.Digest, error) {
	return hashed(ctx, path, io.Discard)
}

// Copy copies a file, creating directories, and returns the digest of what it copied. The copy has the mode.
func Copy(ctx context.Context, src, dst string, mode os.FileMode) (digest.Digest, error) {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return "", Plain(err)
	}
	w, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", Plain(err)
	}
	d, err := hashed(ctx, src, w)
	if cerr := w.Close(); err == nil {
		err = Plain(cerr)
	}
	return d, err
}

func hashed(ctx context.Context, path string, w io.Writer) (digest.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", Plain(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(h, w), reader{ctx, f}, make([]byte, bufferFor(f))); err != nil {
		return "", Plain(err)
	}
	return digest.Parse("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// bufferFor returns the size of a buffer to read f with: no larger than a small file needs.
func bufferFor(f *os.File) int64 {
	const least, most = 512, 256 << 10
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return min(most, max(least, info.Size()+1))
	}
	return most
}

// reader stops reading when its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
