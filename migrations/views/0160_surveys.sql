create table surveys (
    id                  uuid        primary key,
    version             bigint      not null,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    status              text        not null,
    region_code         text        not null,
    plan_id             uuid        not null,
    kind                text        not null,
    title               text        not null,
    question            text        not null,
    population          text        not null,
    unit_id             uuid        not null,
    method              text        not null,
    period              text        not null,
    planned_sample_size integer     not null,
    scale               jsonb       not null,
    indicator_id        uuid,
    fielded_from        date,
    fielded_to          date,
    results             jsonb       not null, -- every result, the first one first
    accepted_on         date,
    accepted_note       text,
    returned_reason     text,
    published_on        date,
    withdrawn_reason    text,
    cancelled_reason    text
);
create index surveys_by_period on surveys (period, id);
create index surveys_of_plan on surveys (plan_id, period, id);
create index surveys_of_unit on surveys (unit_id, period, id);
create index surveys_of_indicator on surveys (indicator_id, period, id);
