-- Read models that cross aggregates: how far each has come, and who writes it. Times are microseconds since 1970.
create table projections (
    name          text    not null,
    generation    integer not null, -- a rebuild makes a new one beside the old
    version       integer not null, -- of its form
    state         text    not null, -- WARMING, ACTIVE
    position      bigint  not null, -- everything up to here is in it
    token         bigint  not null, -- whoever writes must hold the latest
    owner         text,
    lease_until   bigint  not null,
    progressed_at bigint  not null,
    last_error    text,
    primary key (name, generation)
);

-- Events that a projection could not take; the others went on.
create table parked_events (
    name       text    not null,
    generation integer not null,
    position   bigint  not null,
    error      text    not null,
    attempts   integer not null,
    parked_at  bigint  not null,
    primary key (name, generation, position)
);
