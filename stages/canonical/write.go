package canonical

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"time"

	"pipe/engine/stage"
	"pipe/stages/internal/duck"
)

// table writes the bars and returns the name of the file.
func (j *job) table(ctx context.Context, db *duck.DB, out *stage.Output) (string, error) {
	if j.Format == "parquet" {
		const name = "canonical.parquet"
		_, err := db.WriteColumns(ctx, out.Path(name), j.series()...)
		return name, err
	}
	const name = "canonical.json"
	return name, j.json(out.Path(name))
}

func (j *job) series() []duck.Series {
	at := make(duck.Seconds, len(j.rows))
	filled, spike := make([]bool, len(j.rows)), make([]bool, len(j.rows))
	for i, b := range j.rows {
		at[i], filled[i], spike[i] = b.at, b.filled, b.spike
	}
	list := []duck.Series{{Name: stampName, Values: at}}
	for k, name := range j.names {
		v := make([]float64, len(j.rows))
		for i, b := range j.rows {
			v[i] = b.values[k]
		}
		list = append(list, duck.Series{Name: name, Values: v})
	}
	return append(list, duck.Series{Name: filledName, Values: filled}, duck.Series{Name: spikeName, Values: spike})
}

// json writes an array with one bar a line, numbers in the shortest form that reads back to the same number.
func (j *job) json(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	keys := make([][]byte, len(j.names))
	for i, name := range j.names {
		keys[i] = []byte(`,"` + name + `":`)
	}
	w := bufio.NewWriterSize(f, 1<<18)
	line := []byte("[\n")
	for i, b := range j.rows {
		line = append(line, `{"`+stampName+`":"`...)
		line = time.Unix(b.at, 0).UTC().AppendFormat(line, time.RFC3339)
		line = append(line, '"')
		for k, v := range b.values {
			line = appendNumber(append(line, keys[k]...), v)
		}
		line = strconv.AppendBool(append(line, `,"`+filledName+`":`...), b.filled)
		line = strconv.AppendBool(append(line, `,"`+spikeName+`":`...), b.spike)
		line = append(line, '}')
		if i < len(j.rows)-1 {
			line = append(line, ',')
		}
		line = append(line, '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	if _, err := w.WriteString("]\n"); err != nil {
		return err
	}
	return w.Flush()
}

func appendNumber(b []byte, v float64) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(b, "null"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	default:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
}

// document writes a value as JSON for people and programs.
func document(path string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
