-- +goose Up
create schema if not exists core;
create schema if not exists audit;

create table core.model_registry (
    model_version       text primary key,
    model_name          text not null default 'default',
    status              text not null
        check (status in ('draft', 'candidate', 'approved', 'rejected', 'deployed', 'rolled_back')),
    created_at          timestamptz not null,
    created_by          text not null,
    artifact_path       text,
    dataset_index_path  text,
    feature_schema_path text,
    model_ai1_path      text,
    model_ai2_path      text,
    params_path         text,
    metrics_json        jsonb not null default '{}',
    theta1              double precision,
    theta2              double precision,
    code_hash           text,
    data_hash           text,
    artifact_digest     text not null,
    seed                bigint,
    plan_digest         text not null,
    notes               text not null default ''
);

-- One version of a model is deployed at a time.
create unique index model_registry_one_deployed on core.model_registry (model_name) where status = 'deployed';

create table audit.model_registry_events (
    event_id        bigint generated always as identity primary key,
    model_version   text not null,
    model_name      text not null,
    from_status     text,
    to_status       text not null,
    at              timestamptz not null,
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
    started_at      timestamptz not null,
    finished_at     timestamptz not null,
    outcome         text not null,
    metrics_json    jsonb not null default '{}',
    idempotency_key text primary key
);

-- +goose StatementBegin
create function audit.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, tg_op;
end
$$;
-- +goose StatementEnd

create trigger append_only before update or delete on audit.model_registry_events
    for each row execute function audit.refuse_change();
create trigger no_truncate before truncate on audit.model_registry_events
    for each statement execute function audit.refuse_change();
create trigger append_only before update or delete on audit.retrain_runs
    for each row execute function audit.refuse_change();
create trigger no_truncate before truncate on audit.retrain_runs
    for each statement execute function audit.refuse_change();

-- +goose Down
drop table audit.retrain_runs;
drop table audit.model_registry_events;
drop function audit.refuse_change();
drop table core.model_registry;
