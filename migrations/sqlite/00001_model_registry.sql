-- +goose Up
create table core.model_registry (
    model_version       text primary key,
    model_name          text not null default 'default',
    status              text not null
        check (status in ('draft', 'candidate', 'approved', 'rejected', 'deployed', 'rolled_back')),
    created_at          text not null,
    created_by          text not null,
    artifact_path       text,
    dataset_index_path  text,
    feature_schema_path text,
    model_ai1_path      text,
    model_ai2_path      text,
    params_path         text,
    metrics_json        text not null default '{}',
    theta1              real,
    theta2              real,
    code_hash           text,
    data_hash           text,
    artifact_digest     text not null,
    seed                integer,
    plan_digest         text not null,
    notes               text not null default ''
);

-- One version of a model is deployed at a time.
create unique index core.model_registry_one_deployed on model_registry (model_name) where status = 'deployed';

create table audit.model_registry_events (
    event_id        integer primary key autoincrement,
    model_version   text not null,
    model_name      text not null,
    from_status     text,
    to_status       text not null,
    at              text not null,
    by              text not null,
    plan_digest     text not null,
    reason          text not null default '',
    idempotency_key text not null unique
);

create table audit.retrain_runs (
    run_id          text not null,
    model_version   text not null,
    model_name      text not null,
    plan_digest     text not null,
    started_at      text not null,
    finished_at     text not null,
    outcome         text not null,
    metrics_json    text not null default '{}',
    idempotency_key text primary key
);

-- +goose StatementBegin
create trigger audit.model_registry_events_no_update before update on model_registry_events
begin
    select raise(abort, 'audit.model_registry_events is append-only: UPDATE is refused');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit.model_registry_events_no_delete before delete on model_registry_events
begin
    select raise(abort, 'audit.model_registry_events is append-only: DELETE is refused');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit.retrain_runs_no_update before update on retrain_runs
begin
    select raise(abort, 'audit.retrain_runs is append-only: UPDATE is refused');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit.retrain_runs_no_delete before delete on retrain_runs
begin
    select raise(abort, 'audit.retrain_runs is append-only: DELETE is refused');
end;
-- +goose StatementEnd

-- +goose Down
drop table audit.retrain_runs;
drop table audit.model_registry_events;
drop table core.model_registry;
