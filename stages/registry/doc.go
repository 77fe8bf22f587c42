// Package registry is the publish type "model_registry": it registers a model version in core.model_registry and makes it
// the deployed one, if it may be adopted.
//
// One version of a model is deployed at a time; the one before becomes approved, or rolled_back when rollback_reason is
// set. Every transition is a row in audit.model_registry_events and every effect one in audit.retrain_runs. All of it is
// one transaction under a lock on the model's name, which begins by looking up the effect's idempotency key, so that
// nothing happens twice when a process dies between the commit and its own record of it.
//
// The version that was deployed when the plan was made must still be the deployed one (compare and set), else the
// publish is refused with stage.ErrStale: somebody has deployed another version since the plan was reviewed.
//
// Life of a version: new -> candidate -> deployed or rejected; deployed -> approved or rolled_back when another takes its
// place; approved, rolled_back and rejected -> deployed when published again. Adoption is judged for new, rejected and
// rolled-back versions; an approved one was adopted before, and a deployed one stays deployed.
//
// The tables lie in PostgreSQL, or in SQLite files when no database is configured. The package refuses to know what a
// model is: it takes facts, metrics and the names of files.
package registry
