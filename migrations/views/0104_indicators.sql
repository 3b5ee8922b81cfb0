create table indicators (
    id              uuid        primary key,
    version         bigint      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    status          text        not null,
    region_code     text        not null,
    plan_id         uuid        not null,
    task_id         uuid,
    code            text        not null,
    name            text        not null,
    unit            text        not null,
    measure         text        not null,
    target          jsonb        not null,
    due_on          date        not null,
    basis           text        not null,
    baseline        jsonb,
    scope           text,
    source_phrase   text,
    points          jsonb        not null, -- values of the indicator's own region that count, by number
    measured        integer     not null,
    judged_value    text,
    retired_reason  text,
    note            text
);
create index indicators_of_plan_by_code on indicators (plan_id, code, id);
create index indicators_of_plan_by_due on indicators (plan_id, due_on, id);
create index indicators_of_task on indicators (task_id, code, id);
create index indicators_by_code on indicators (code, id);
create index indicators_by_due on indicators (due_on, id);

-- One row for every value recorded or corrected; nothing is overwritten.
create table measurements (
    id             uuid        primary key,
    indicator_id   uuid        not null,
    version        bigint      not null, -- the indicator's version after the entry
    number         integer     not null,
    period         text        not null,
    period_end     date        not null,
    region_code    text        not null,
    value          text        not null,
    former_value   text,
    reason         text,
    reported_by_id uuid,
    evidence       jsonb        not null,
    note           text,
    actor          text        not null,
    recorded_at    timestamptz not null
);
create index measurements_of_indicator on measurements (indicator_id, period_end, id);
create index measurements_by_number on measurements (indicator_id, number, version);
