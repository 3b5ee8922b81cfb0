create table tasks (
    id                  uuid        primary key,
    version             bigint      not null,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    status              text        not null,
    region_code         text        not null,
    plan_id             uuid        not null,
    parent_id           uuid,
    number              text        not null,
    number_order        text        not null,
    label               text,
    kind                text        not null,
    title               text        not null,
    summary             text        not null,
    assignment          text        not null,
    lead_unit_ids       jsonb        not null,
    supporting_unit_ids jsonb        not null,
    open_ended          boolean     not null,
    due_on              date,
    progress_percent    integer     not null,
    progress_note       text,
    evidence            jsonb        not null,
    returned_reason     text,
    cancelled_reason    text,
    note                text
);
create index tasks_of_plan_by_number on tasks (plan_id, number_order, id);
create index tasks_of_plan_by_due on tasks (plan_id, (due_on is null), due_on, id);
create index tasks_by_due on tasks ((due_on is null), due_on, id);
create index tasks_by_number on tasks (number_order, id);
create index tasks_of_parent on tasks (parent_id, number_order, id);
