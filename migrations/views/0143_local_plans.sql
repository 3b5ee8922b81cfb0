create table local_plans (
    id               uuid        primary key,
    version          bigint      not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    status           text        not null,
    region_code      text        not null,
    plan_id          uuid        not null,
    filing_unit_id   uuid        not null,
    addressee_id     uuid        not null,
    what             text        not null,
    due_on           date,
    first_filed_on   date,
    filed_on         date,
    filings          integer     not null,
    title            text,
    document_number  text,
    issued_on        date,
    summary          text,
    evidence         jsonb       not null,
    note             text,
    returned_reason  text,
    waived_reason    text,
    due_set_at       timestamptz,
    due_soon_pending date,
    overdue_pending  date
);
create index local_plans_by_due on local_plans ((due_on is null), due_on, id);
create index local_plans_of_plan on local_plans (plan_id, (due_on is null), due_on, id);
create index local_plans_of_filing_unit on local_plans (filing_unit_id, (due_on is null), due_on, id);
create index local_plans_of_addressee on local_plans (addressee_id, (due_on is null), due_on, id);
create index local_plans_due_soon_pending on local_plans (due_soon_pending, id) where due_soon_pending is not null;
create index local_plans_overdue_pending on local_plans (overdue_pending, id) where overdue_pending is not null;
