create table data_imports (
    id          uuid        primary key,
    version     bigint      not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    status      text        not null,
    region_code text        not null,
    plan_id     uuid        not null,
    source      text        not null,
    format      text        not null,
    encoding    text        not null,
    sha256      text        not null,
    rows_read   integer     not null,
    accepted    integer     not null,
    unchanged   integer     not null,
    repaired    jsonb        not null,
    rejected    jsonb        not null,
    readings    jsonb        not null
);
create index data_imports_of_plan on data_imports (plan_id, id);
