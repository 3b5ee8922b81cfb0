-- The delivery log of webhooks: what was tried and what came of it. No event makes these rows, and old ones go.
create table delivery_attempts (
    id              uuid        primary key,
    subscription_id uuid        not null,
    event_id        uuid        not null,
    subject_id      uuid        not null,
    kind            text        not null, -- of what kind the subject is
    position        bigint      not null,
    number          integer     not null,
    url             text        not null,
    signatures      text        not null,
    at              timestamptz not null,
    took_micros     bigint      not null,
    status          integer,              -- null when nothing came back
    answer          text,
    reason          text                  -- why nothing came back
);
create index delivery_attempts_of on delivery_attempts (subscription_id, id);
create index delivery_attempts_old on delivery_attempts (at);
