create table reporting_duties (
    id              uuid        primary key,
    version         bigint      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    status          text        not null,
    region_code     text        not null,
    plan_id         uuid        not null,
    what            text        not null,
    cadence         text        not null,
    due_days        integer     not null,
    open_days       integer     not null,
    holds_from      date        not null,
    holds_until     date        not null,
    parties         jsonb       not null,
    note            text,
    next_period     text,
    next_opens_on   date
);
create index reporting_duties_of_plan on reporting_duties (plan_id, id);
-- What the scheduler has to open, by day.
create index reporting_duties_to_open on reporting_duties (next_opens_on, id) where next_opens_on is not null;
