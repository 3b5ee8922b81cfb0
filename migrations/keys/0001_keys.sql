-- The keys of persons, apart from the log and its backups. One spelling for both databases.
create table master_keys (
    id         text        primary key,
    created_at timestamptz not null,
    retired_at timestamptz
);
create table person_keys (
    id           uuid        primary key,
    subject      text        not null,
    wrapped      text,
    master_id    text        not null references master_keys (id),
    created_at   timestamptz not null,
    destroyed_at timestamptz
);
create index person_keys_of_master on person_keys (master_id, id) where wrapped is not null;
