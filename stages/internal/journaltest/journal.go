package journaltest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"pipe/engine/digest"
	"pipe/engine/stage"
)

// Point is a place where a process may die.
type Point int

// The places, in the order of one effect.
const (
	Nowhere      Point = iota
	BeforeIntent       // nothing is written yet
	BeforeEffect       // the intent is recorded
	BeforeDone         // the effect has happened, its result is not recorded
	AfterDone          // the result is recorded, the node has not returned
)

// Crash is what a journal panics with.
type Crash struct{ At Point }

// Journal is a stage.Journal in a file of JSON lines.
type Journal struct {
	path    string
	CrashAt Point
}

// New returns the journal in the file at path, which need not exist yet.
func New(path string) *Journal { return &Journal{path: path} }

type line struct {
	Op     string          `json:"op"` // intent, done, undo
	Key    string          `json:"key"`
	Intent json.RawMessage `json:"intent,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Do implements stage.Journal.
func (j *Journal) Do(ctx context.Context, key string, intent any, effect func(context.Context, stage.Attempt) (any, error)) (json.RawMessage, error) {
	j.crash(BeforeIntent)
	known, done, _, err := j.read()
	if err != nil {
		return nil, err
	}
	if e, ok := done[key]; ok {
		return e.Result, nil
	}
	at := stage.Attempt{}
	if at.Intent, at.Again = known[key]; !at.Again {
		if at.Intent, err = digest.Canonical(intent); err != nil {
			return nil, err
		}
		if err := j.append(line{Op: "intent", Key: key, Intent: at.Intent}); err != nil {
			return nil, err
		}
	}
	j.crash(BeforeEffect)
	result, err := effect(ctx, at)
	if err != nil {
		return nil, err
	}
	j.crash(BeforeDone)
	raw, err := digest.Canonical(result)
	if err != nil {
		return nil, err
	}
	if err := j.append(line{Op: "done", Key: key, Result: raw}); err != nil {
		return nil, err
	}
	j.crash(AfterDone)
	return raw, nil
}

// Done implements stage.Journal.
func (j *Journal) Done(context.Context) ([]stage.Effect, error) {
	_, done, order, err := j.read()
	if err != nil {
		return nil, err
	}
	var list []stage.Effect
	for _, key := range order {
		if e, ok := done[key]; ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// Undo implements stage.Journal.
func (j *Journal) Undo(_ context.Context, key string) error {
	return j.append(line{Op: "undo", Key: key})
}

func (j *Journal) crash(p Point) {
	if j.CrashAt == p {
		panic(Crash{p})
	}
}

func (j *Journal) read() (known map[string]json.RawMessage, done map[string]stage.Effect, order []string, err error) {
	known, done = map[string]json.RawMessage{}, map[string]stage.Effect{}
	b, err := os.ReadFile(j.path)
	if err != nil && !os.IsNotExist(err) {
		return nil, nil, nil, err
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", j.path, err)
		}
		switch l.Op {
		case "intent":
			known[l.Key] = l.Intent
		case "done":
			done[l.Key] = stage.Effect{Key: l.Key, Intent: known[l.Key], Result: l.Result}
			order = append(order, l.Key)
		case "undo":
			delete(known, l.Key)
			delete(done, l.Key)
			for i, k := range order {
				if k == l.Key {
					order = append(order[:i:i], order[i+1:]...)
					break
				}
			}
		}
	}
	return known, done, order, nil
}

func (j *Journal) append(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(b, '\n'))
	return err
}
