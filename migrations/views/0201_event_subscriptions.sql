create table event_subscriptions (
    id               uuid        primary key,
    version          bigint      not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    status           text        not null,
    region_code      text        not null,
    name             text        not null,
    unit_id          uuid        not null,
    filter           jsonb       not null,
    begins_after     bigint      not null,
    envelope         text        not null,
    method           text        not null,
    url              text,
    signing_key      jsonb, -- secrets in it are sealed
    former_key       jsonb,
    former_key_until timestamptz,
    suspension_cause text,
    stopped_reason   text
);
create index event_subscriptions_by_name on event_subscriptions (name, id);
create index event_subscriptions_at_work on event_subscriptions (status, method);
