create table reports (
    id                 uuid        primary key,
    version            bigint      not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    status             text        not null,
    region_code        text        not null,
    duty_id            uuid        not null,
    plan_id            uuid        not null,
    reporter_id        uuid        not null,
    addressee_id       uuid        not null,
    what               text        not null,
    period             text        not null,
    due_on             date        not null,
    first_submitted_on date,
    submitted_on       date,
    submissions        integer     not null,
    summary            text,
    evidence           jsonb       not null,
    note               text,
    returned_reason    text,
    waived_reason      text,
    locked             boolean     not null,
    due_set_at         timestamptz,
    due_soon_pending   date,
    overdue_pending    date
);
create index reports_by_due on reports (due_on, id);
create index reports_of_plan on reports (plan_id, due_on, id);
create index reports_of_duty on reports (duty_id, due_on, id);
create index reports_of_reporter on reports (reporter_id, due_on, id);
create index reports_of_addressee on reports (addressee_id, due_on, id);
create index reports_due_soon_pending on reports (due_soon_pending, id) where due_soon_pending is not null;
create index reports_overdue_pending on reports (overdue_pending, id) where overdue_pending is not null;
