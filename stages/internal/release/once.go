package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pipe/engine/digest"
	"pipe/engine/stage"
)

// Key names an effect by what is done: the type, the identity of the target, the version, the content.
func Key(parts ...any) string { return digest.JSON(parts).Hex()[:32] }

// Effect is what a publish does outside the store.
type Effect struct {
	Base   string // from Key
	Intent any
	// Holds reports whether an equal effect, the node's last, is still in force, given its result.
	Holds func(ctx context.Context, result json.RawMessage) (bool, error)
	// Act does it. key is the base with the number of the effect.
	Act func(ctx context.Context, key string, at stage.Attempt) (any, error)
}

// Once does the effect unless it is the node's last one and still in force, and returns its key and result.
//
// The journal does each key once for ever, but a version may come back: after A and then B, a publish of A must act
// again. So keys are numbered: an effect that is not the last, or is no longer in force, gets the next number. The number
// depends on what is done alone, so an attempt that crashed in between comes back to its own key.
func Once(ctx context.Context, j stage.Journal, e Effect) (key string, result json.RawMessage, err error) {
	if j == nil {
		return "", nil, errors.New("a publish can't run without a journal")
	}
	done, err := j.Done(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(done) > 0 {
		last := done[len(done)-1]
		if base, _ := split(last.Key); base == e.Base {
			ok, err := e.Holds(ctx, last.Result)
			if err != nil {
				return "", nil, err
			}
			if ok {
				return last.Key, last.Result, nil
			}
		}
	}
	next := 1
	for _, d := range done {
		if _, n := split(d.Key); n >= next {
			next = n + 1
		}
	}
	key = fmt.Sprintf("%s.%d", e.Base, next)
	result, err = j.Do(ctx, key, e.Intent, func(ctx context.Context, at stage.Attempt) (any, error) {
		return e.Act(ctx, key, at)
	})
	return key, result, err
}

func split(key string) (base string, number int) {
	base, n, _ := strings.Cut(key, ".")
	number, _ = strconv.Atoi(n)
	return base, number
}
