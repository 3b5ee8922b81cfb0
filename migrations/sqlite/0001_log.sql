-- The log. Nothing here is ever updated or deleted but the one row of log_head.
create table log_head (
    id       integer primary key check (id = 1),
    position integer not null,
    hash     blob    not null
);
insert into log_head (id, position, hash) values (1, 0, zeroblob(32));

create table events (
    position       integer primary key,
    kind           text    not null,
    stream_id      blob    not null,
    version        integer not null,
    id             blob    not null,
    type           text    not null,
    schema_version integer not null,
    data           text    not null, -- JSON exactly as written: the hash covers these bytes
    actor          text    not null,
    actor_unit     blob,
    method         text    not null,
    region_code    text,
    status_from    text,
    status_to      text,
    correlation_id blob    not null,
    causation_id   blob,
    command_id     text,
    happened_at    text    not null,
    recorded_at    text    not null,
    hash           blob    not null,
    unique (stream_id, version)
);
create unique index events_id on events (id);

-- A retry with the same command id gets the first answer.
create table commands (
    actor          text    not null,
    command_id     text    not null,
    fingerprint    blob    not null,
    first_position integer not null,
    last_position  integer not null,
    primary key (actor, command_id)
) without rowid;

-- Keys that only one aggregate may hold.
create table claims (
    scope     text not null,
    key       text not null,
    kind      text not null,
    stream_id blob not null,
    primary key (scope, key)
) without rowid;
