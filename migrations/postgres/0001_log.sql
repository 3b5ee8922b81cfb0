-- The log. Nothing here is ever updated or deleted but the one row of log_head.
create table log_head (
    id       integer primary key check (id = 1),
    position bigint not null,
    hash     bytea  not null
);
insert into log_head (id, position, hash) values (1, 0, decode(repeat('00', 32), 'hex'));

create table events (
    position       bigint      primary key,
    kind           text        not null,
    stream_id      uuid        not null,
    version        bigint      not null,
    id             uuid        not null,
    type           text        not null,
    schema_version integer     not null,
    data           text        not null, -- JSON exactly as written: the hash covers these bytes
    actor          text        not null,
    actor_unit     uuid,
    method         text        not null,
    region_code    text,
    status_from    text,
    status_to      text,
    correlation_id uuid        not null,
    causation_id   uuid,
    command_id     text,
    happened_at    timestamptz not null,
    recorded_at    timestamptz not null,
    hash           bytea       not null,
    unique (stream_id, version)
);
create unique index events_id on events (id);

-- A retry with the same command id gets the first answer.
create table commands (
    actor          text   not null,
    command_id     text   not null,
    fingerprint    bytea  not null,
    first_position bigint not null,
    last_position  bigint not null,
    primary key (actor, command_id)
);

-- Keys that only one aggregate may hold.
create table claims (
    scope     text not null,
    key       text not null,
    kind      text not null,
    stream_id uuid not null,
    primary key (scope, key)
);
