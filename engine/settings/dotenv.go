package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Getenv adds the lines of .env in the working directory to an environment, in dev only. The process wins, but for a variable that is
// set to nothing, as container files often do.
func Getenv(workDir, env string, base func(string) (string, bool)) (func(string) (string, bool), error) {
	if env != "dev" {
		return base, nil
	}
	data, err := os.ReadFile(filepath.Join(workDir, ".env"))
	if errors.Is(err, fs.ErrNotExist) {
		return base, nil
	}
	if err != nil {
		return nil, fmt.Errorf(".env cannot be read: %w", err)
	}
	vars, err := parseDotenv(string(data))
	if err != nil {
		return nil, err
	}
	return func(name string) (string, bool) {
		v, set := base(name)
		if set && v != "" {
			return v, true
		}
		if own, ok := vars[name]; ok {
			return own, true
		}
		return v, set
	}, nil
}

var dotenvLine = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$`)

// parseDotenv reads NAME=value lines. Errors never hold a value.
func parseDotenv(text string) (map[string]string, error) {
	vars := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := dotenvLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf(".env, line %d: a line must be NAME=value", i+1)
		}
		v, err := unquote(m[2])
		if err != nil {
			return nil, fmt.Errorf(".env, line %d: %w", i+1, err)
		}
		vars[m[1]] = v
	}
	return vars, nil
}

func unquote(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, `"`):
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", errors.New("the closing quote is missing")
		}
		return strconv.Unquote(quoted)
	case strings.HasPrefix(s, "'"):
		end := strings.IndexByte(s[1:], '\'')
		if end < 0 {
			return "", errors.New("the closing quote is missing")
		}
		return s[1 : 1+end], nil
	}
	if i := strings.Index(s, " #"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s), nil
}
