create table assessment_schemes (
    id          uuid        primary key,
    version     bigint      not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    status      text        not null,
    region_code text        not null,
    plan_id     uuid        not null,
    year        integer     not null,
    title       text        not null,
    rules       jsonb       not null
);
create index assessment_schemes_of_plan on assessment_schemes (plan_id, year, id);
create index assessment_schemes_by_year on assessment_schemes (year, id);

create table assessments (
    id               uuid        primary key,
    version          bigint      not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    status           text        not null,
    region_code      text        not null,
    scheme_id        uuid        not null,
    plan_id          uuid        not null,
    year             integer     not null,
    unit_id          uuid        not null,
    rules            jsonb       not null,
    self_summary     text,
    self_scores      jsonb       not null,
    self_evidence    jsonb       not null,
    formula_version  integer,
    items            jsonb       not null,
    vetoes           jsonb       not null,
    total            text,
    grade            text,
    review_note      text,
    objections_until date,
    objection        text,
    appeal           text,
    decision         text,
    applied_note     text
);
create index assessments_of_scheme on assessments (scheme_id, region_code, id);
create index assessments_of_plan on assessments (plan_id, year, id);
create index assessments_of_unit on assessments (unit_id, year, id);
create index assessments_by_region on assessments (region_code, id);
