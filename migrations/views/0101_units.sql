create table units (
    id            uuid        primary key,
    version       bigint      not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    status        text        not null,
    region_code   text        not null,
    name          text        not null,
    kind          text        not null,
    official_name text,
    aliases       jsonb        not null,
    member_ids    jsonb        not null,
    merged_into_id uuid,
    note          text
);
create index units_by_name on units (name, id);
create index units_by_region on units (region_code, id);
