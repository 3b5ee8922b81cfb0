-- Durable readers of the log. No event makes these rows: a position moves with every acknowledgement.
create table consumers (
    id       uuid   primary key,
    position bigint not null, -- every event up to here was handed out, or was not wanted
    revision bigint not null, -- moves with every change of this row and of those below
    applied  bigint not null  -- so many events of its owner's life have been carried out here
);

-- Subjects of which something was handed out and is not acknowledged. Instants are microseconds since 1970.
create table consumer_subjects (
    id            uuid    primary key, -- made of the two below
    consumer_id   uuid    not null,
    subject_id    uuid    not null,
    kind          text    not null, -- of what kind the subject is
    acked         bigint  not null, -- its events up to here are acknowledged
    latest        bigint  not null, -- its events up to here are to be handed out by this row
    token_id      uuid,             -- whoever has it, has the events; it changes hands when it expires
    held_until    bigint  not null,
    attempts      integer not null, -- how often in a row nothing was acknowledged
    not_before    bigint  not null,
    failing_since bigint,
    parked        boolean not null, -- tried for long enough: somebody must look
    reason        text              -- why the last attempt failed
);
create index consumer_subjects_of on consumer_subjects (consumer_id, acked);
