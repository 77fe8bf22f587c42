package worm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/zclconf/go-cty/cty"

	"pipe/engine/addr"
	"pipe/engine/artifact"
	"pipe/engine/digest"
	"pipe/engine/stage"
	"pipe/stages/internal/release"
)

const name = "worm"

// Type is the publish type "worm".
func Type() stage.Type {
	return &stage.Def[config]{
		Of: addr.Publish, Label: name, Rev: 1,
		Spec: stage.Schema{
			Doc: "Writes an audit record of a publish: once, read-only (mode 0444), chained to the record before it by SHA-256. " +
				"`pipe destroy` leaves the records.\n\nThe records of several pipelines may share a root; they form one chain.",
			Attrs: append([]stage.Attr{
				{Name: "model", Type: stage.HandleType, Required: true, Doc: "The artifact that was published."},
				{Name: "files", Type: stage.HandleType, Doc: "The `files` publish: where the files lie."},
				{Name: "registry", Type: stage.HandleType, Doc: "The `model_registry` publish: status and event."},
				{Name: "evidence", Type: stage.HandlesType, Handles: true, Doc: "Artifacts whose digests and metrics the record holds."},
				{Name: "root", Type: cty.String, Required: true, Path: true, Doc: "The directory of all records."},
				{Name: "fields", Type: cty.Map(cty.String), Doc: "More texts for the record, such as a ticket."},
			}, release.VersionAttrs()...),
			Example: `publish "worm" "audit" {
  model    = stage.model
  files    = publish.models
  registry = publish.core
  root     = "storage/worm"
  fields   = { ticket = "ML-17" }
}`,
		},
		New: newRunner,
	}
}

type config struct {
	Model       *stage.Handle      `cty:"model"`
	Files       *stage.Handle      `cty:"files"`
	Registry    *stage.Handle      `cty:"registry"`
	Evidence    cty.Value          `cty:"evidence"`
	Root        string             `cty:"root"`
	Fields      *map[string]string `cty:"fields"`
	Version     *string            `cty:"version"`
	VersionFact string             `cty:"version_fact"`
}

func newRunner(c config) (stage.Runner, error) {
	if err := release.CheckVersion(c.Version); err != nil {
		return nil, err
	}
	if c.Root == "" {
		return nil, stage.Attrf("root", "root is empty: name the directory of the records")
	}
	return &runner{c}, nil
}

type runner struct{ config }

var (
	_ stage.Runner  = (*runner)(nil)
	_ stage.Remover = (*runner)(nil)
)

// Record is one publish. Seq and Prev are given when it is written.
type Record struct {
	FormatVersion  int               `json:"format_version"`
	Kind           string            `json:"kind"` // model_publish
	Seq            int64             `json:"seq"`  // from 1
	Prev           digest.Digest     `json:"prev"` // of the bytes of the record before; "" for the first
	Key            string            `json:"idempotency_key"`
	At             time.Time         `json:"at"`
	ModelVersion   string            `json:"model_version"`
	Status         string            `json:"status"`
	ArtifactPath   string            `json:"artifact_path,omitempty"`
	Model          Part              `json:"model"`
	Evidence       []Part            `json:"evidence,omitempty"`
	RegistryEvent  string            `json:"registry_event,omitempty"`
	PlanDigest     digest.Digest     `json:"plan_digest"`
	Run            string            `json:"run"`
	Pipeline       string            `json:"pipeline"`
	Environment    string            `json:"environment"`
	Node           string            `json:"node"`
	Actor          string            `json:"actor"`
	SourceRevision string            `json:"source_revision,omitempty"`
	Fields         map[string]string `json:"fields,omitempty"`
}

// Part is an artifact with the checksums of its files.
type Part struct {
	Label   string             `json:"label,omitempty"`
	Digest  digest.Digest      `json:"digest"`
	Files   []artifact.File    `json:"files"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// intent is the record without its place in the chain, so that a repeated attempt writes the same.
type intent struct {
	Root   string `json:"root"`
	Record Record `json:"record"`
}

// result is where the record lies, for the node to know its own.
type result struct {
	Path   string        `json:"path"` // below the root
	Digest digest.Digest `json:"digest"`
	Seq    int64         `json:"seq"`
}

// Run implements stage.Runner.
func (r *runner) Run(ctx context.Context, env stage.Env, in stage.Inputs, out *stage.Output) error {
	rec, err := r.record(env, in)
	if err != nil {
		return err
	}
	root, err := env.Path(r.Root)
	if err != nil {
		return err
	}
	base := release.Key(name, path.Clean(filepath.ToSlash(r.Root)), identity(rec))
	if err := r.ownRecords(ctx, env); err != nil {
		return err
	}
	_, _, err = release.Once(ctx, env.Journal, release.Effect{
		Base: base, Intent: intent{Root: r.Root, Record: rec},
		Holds: func(context.Context, json.RawMessage) (bool, error) { return true, nil }, // see ownRecords
		Act: func(ctx context.Context, key string, at stage.Attempt) (any, error) {
			var first intent
			if err := json.Unmarshal(at.Intent, &first); err != nil {
				return nil, fmt.Errorf("the journal's record can't be read: %w", err)
			}
			r := first.Record
			first.Record.Key = release.Key(key, r.Run, r.Pipeline, r.Environment, r.Node)
			return appendRecord(ctx, root, first.Record)
		},
	})
	if err != nil {
		return err
	}
	return release.Receipt{Target: name, Version: rec.ModelVersion, Status: "recorded", Key: base, Files: rec.Model.Files,
		Details: map[string]string{"root": filepath.ToSlash(r.Root), "published_as": rec.Status}}.
		Write(out, map[string]string{release.FactArtifactPath: rec.ArtifactPath, release.FactEvent: rec.RegistryEvent})
}

// record collects what is to be recorded.
func (r *runner) record(env stage.Env, in stage.Inputs) (Record, error) {
	model, err := in.Get("model")
	if err != nil {
		return Record{}, err
	}
	version, err := release.Version(r.Version, r.VersionFact, model)
	if err != nil {
		return Record{}, err
	}
	published := append(in.Group("registry"), in.Group("files")...)
	rec := Record{FormatVersion: 1, Kind: kind, At: env.Now().UTC(), ModelVersion: version,
		Status: release.Fact(published, release.FactStatus), ArtifactPath: release.Fact(published, release.FactArtifactPath),
		RegistryEvent: release.Fact(published, release.FactEvent), Model: part("", model),
		PlanDigest: env.Run.PlanDigest, Run: env.Run.ID, Pipeline: env.Run.Pipeline, Environment: env.Run.Environment, Node: env.Run.Node.String(),
		Actor: env.Run.Actor, SourceRevision: env.Run.SourceRevision}
	if rec.Status == "" {
		rec.Status = "published"
	}
	for _, i := range published {
		if got := i.Artifact.Facts[release.ModelVersion]; got != version {
			return Record{}, fmt.Errorf("the input %q was published as version %q, and the model has version %q: let both read the same model", i.Label, got, version)
		}
	}
	for _, i := range in.Group("evidence") {
		rec.Evidence = append(rec.Evidence, part(i.Label, i))
	}
	if r.Fields != nil {
		rec.Fields = *r.Fields
	}
	return rec, nil
}

func part(label string, in stage.Input) Part {
	return Part{Label: label, Digest: in.Artifact.Digest(), Files: in.Artifact.Files, Metrics: in.Artifact.Metrics}
}

// identity is the record without what belongs to one run.
func identity(rec Record) Record {
	rec.At, rec.PlanDigest, rec.Run, rec.Actor, rec.SourceRevision = time.Time{}, "", "", "", ""
	rec.Pipeline, rec.Environment, rec.Node = "", "", ""
	return rec
}

// ownRecords refuses to go on if a record that this node wrote below its root was changed or is gone.
func (r *runner) ownRecords(ctx context.Context, env stage.Env) error {
	if env.Journal == nil {
		return nil // refused later
	}
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	root, err := env.Path(r.Root)
	if err != nil {
		return err
	}
	for _, d := range done {
		var was intent
		var res result
		if json.Unmarshal(d.Intent, &was) != nil || json.Unmarshal(d.Result, &res) != nil {
			return fmt.Errorf("the journal's record %s can't be read", d.Key)
		}
		if was.Root != r.Root {
			continue
		}
		at := path.Join(filepath.ToSlash(was.Root), res.Path)
		const help = "restore it from a backup, or set another root to begin anew"
		got, _, err := digest.File(filepath.Join(root, filepath.FromSlash(res.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("record %d, which this node wrote, is gone (%s): %s", res.Seq, at, help)
		}
		if err != nil {
			return err
		}
		if got != res.Digest {
			return fmt.Errorf("record %d was changed after it was written (%s): %s", res.Seq, at, help)
		}
	}
	return nil
}

// Remove implements stage.Remover: the records stay for ever. The node only forgets that it wrote them, so that it records
// anew when it comes back.
func (r *runner) Remove(ctx context.Context, env stage.Env, _ *artifact.Artifact) error {
	done, err := env.Journal.Done(ctx)
	if err != nil {
		return err
	}
	for _, d := range done {
		if err := env.Journal.Undo(ctx, d.Key); err != nil {
			return err
		}
	}
	return nil
}
