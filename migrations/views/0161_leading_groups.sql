create table leading_groups (
    id               uuid        primary key,
    version          bigint      not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    status           text        not null,
    region_code      text        not null,
    plan_id          uuid,
    name             text        not null,
    former_names     jsonb       not null,
    document         text,
    established_on   date        not null,
    composition      jsonb       not null, -- every seat of its office and every membership, with their days
    dissolved_on     date,
    dissolved_reason text
);
create index leading_groups_by_name on leading_groups (name, id);
create index leading_groups_by_region on leading_groups (region_code, id);
create index leading_groups_of_plan on leading_groups (plan_id, name, id);
