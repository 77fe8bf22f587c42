package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/digest"
)

// Type describes a type of node; it holds no state.
type Type interface {
	Kind() addr.Kind
	Name() string                     // the first HCL label
	Revision() int                    // raised when equal input would give other output
	Schema() Schema                   // decoding, references with ranges, generated reference docs
	Decode(cty.Value) (Runner, error) // pure: no I/O, no clock; errors about an attribute are *AttrError
}

// Runner is one configured node. Equal inputs must give bit-equal files, metrics and facts.
type Runner interface {
	Run(ctx context.Context, env Env, in Inputs, out *Output) error
}

// Observer is a Runner that reads something outside the pipeline: Observe digests it while planning. The observation
// is part of the fingerprint, so Run need not be repeated while it stays equal.
type Observer interface {
	Observe(ctx context.Context, env Env) (digest.Digest, error)
}

// Remover is a Runner that leaves something outside the store: Remove takes it away again when the node is deleted.
// last is the artifact of the node's last success. It must succeed when there is nothing left to remove.
type Remover interface {
	Remove(ctx context.Context, env Env, last *artifact.Artifact) error
}

// Spawner is a Runner that starts processes. One that outlives it may still write to its directories, so these are never
// used again.
type Spawner interface{ Spawns() }

// Pinner is a Runner that may act only while something outside is still as it was when the plan was made, such as which
// version is deployed. Pin reads it while planning; it must be quick and create nothing. The value is part of the plan
// and not of the fingerprint, and comes back as Env.Pinned; Run refuses with ErrStale if it is no longer true.
type Pinner interface {
	Pin(ctx context.Context, env Env) (string, error)
}

// Inspector is a publish that can look whether what it published is still there as it left it. Inspect gets the artifact of
// the node's last success, with its files in last.Dir, and says what is otherwise, as "PLACE: WHAT", nothing if all is well. It changes
// nothing. A later Run with Env.Repair set makes it good.
type Inspector interface {
	Inspect(ctx context.Context, env Env, last Input) ([]string, error)
}

// ErrChanged says that what an Observer digested while planning has changed since. Run returns it when what it reads no
// longer has the digest Env.Observed, so that a plan never runs on anything but what it was made for.
var ErrChanged = errors.New("changed since it was planned")

// ErrStale says that what a Pinner pinned has changed since the plan was made.
var ErrStale = errors.New("changed since the plan was made")

// Notifier is what a configured notify block does: it tells somebody. It must carry m.Key to the receiver where the
// protocol has a place for it, because a message may be sent again after a crash. It is no node: Run is never called by
// the engine and returns an error.
type Notifier interface {
	Runner
	Notify(ctx context.Context, env Env, m Message) error
}

// Message is one event for a notifier.
type Message struct {
	Event       string            `json:"event"` // published, failed, succeeded
	Key         string            `json:"key"`   // idempotency key: equal for the same event, however often it is sent
	Pipeline    string            `json:"pipeline"`
	Environment string            `json:"environment"`
	Run         string            `json:"run"`
	PlanDigest  digest.Digest     `json:"plan_digest"`
	Address     string            `json:"address"`
	Title       string            `json:"title"`
	Text        string            `json:"text"`
	Facts       map[string]string `json:"facts,omitempty"`
	At          time.Time         `json:"at"`
}

// Env is all of the world that a runner may touch.
type Env struct {
	Log      hclog.Logger
	Now      func() time.Time
	Getenv   func(name string) (string, bool)
	WorkDir  string        // absolute; relative paths of plan files are relative to it
	Roots    []string      // absolute; what paths of plan files may touch besides WorkDir
	Scratch  string        // absolute; an empty directory of the node's own, removed afterwards; not the output directory
	Journal  Journal       // for publishes and notifiers; nil elsewhere
	Observed digest.Digest // what Observe returned when the plan was made; only for an Observer, at Run; "" if unknown
	Pinned   string        // what Pin returned when the plan was made; only for a Pinner, at Run
	Repair   bool          // an Inspector found that what was published is no longer as it was left
	Run      RunInfo
}

// Permanent marks an error that trying again can't mend, so that no retry is spent on it.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent reports whether an error was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// RunInfo says on whose behalf a node runs. It must not influence the content of a stage's artifact.
type RunInfo struct {
	ID             string
	PlanDigest     digest.Digest
	Pipeline       string
	Environment    string
	Actor          string // user@host
	SourceRevision string // of the plan files' repository, "" if unknown
	Node           addr.Addr
	Fingerprint    digest.Digest // of the node: what it was run with
}

// Secret returns the value of the environment variable that s names.
func (e Env) Secret(s *Secret) (string, error) {
	if s == nil {
		return "", errors.New("no secret is configured")
	}
	v, ok := e.Getenv(s.Name)
	if !ok || v == "" {
		return "", fmt.Errorf("the environment variable %s, named by secret(%q), is not set: set it where pipe runs", s.Name, s.Name)
	}
	return v, nil
}

// Journal makes effects outside the store happen once, whatever crashes in between. It belongs to one node.
type Journal interface {
	// Do records the intent, calls effect, and records the result, each durably. When key was done before, effect is not
	// called and the recorded result is returned. When an earlier process recorded the intent and then died, effect is
	// called with the *first* intent and Again set: the effect may have happened, and must not happen twice.
	Do(ctx context.Context, key string, intent any, effect func(ctx context.Context, at Attempt) (any, error)) (json.RawMessage, error)
	// Done lists the effects of this node that are done and not undone, oldest first.
	Done(ctx context.Context) ([]Effect, error)
	// Undo records that the effect was taken back: Do with the same key acts again.
	Undo(ctx context.Context, key string) error
}

// Attempt is what an effect is called with.
type Attempt struct {
	Intent json.RawMessage // the first recorded intent for the key, as canonical JSON
	Again  bool            // an earlier process recorded the intent and did not record the result
}

// Effect is one journalled effect.
type Effect struct {
	Key    string
	Intent json.RawMessage
	Result json.RawMessage
}

// AttrError is a mistake in a configuration, with the path of the attribute.
type AttrError struct {
	Path cty.Path
	Err  error
}

func (e *AttrError) Error() string { return e.Err.Error() }
func (e *AttrError) Unwrap() error { return e.Err }

// Attrf returns an AttrError about the top-level attribute name.
func Attrf(name, format string, args ...any) *AttrError {
	return &AttrError{Path: cty.GetAttrPath(name), Err: fmt.Errorf(format, args...)}
}
