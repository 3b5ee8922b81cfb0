create table violation_reports (
    id                 uuid        primary key,
    version            bigint      not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    status             text        not null,
    region_code        text        not null,
    number             text        not null,
    secret_digest      text        not null,
    channel            text        not null,
    category           text        not null,
    subject            text        not null,
    details            text        not null,
    respondent         text,
    occurred_on        date,
    received_on        date        not null,
    -- What identifies the informer is sealed; empty once its erasure was ordered.
    informer_identity  text        not null,
    informer_key_id    uuid,
    informer_name      text,
    informer_phone     text,
    informer_address   text,
    erasure_pending    boolean     not null,
    decision_due_on    date,
    decision_due       jsonb       not null,
    decided_on         date,
    accepted_note      text,
    rejected_reason    text,
    unit_id            uuid,
    transferred_on     date,
    transferred_reason text,
    result             text,
    handled_on         date,
    closed_on          date,
    closed_note        text,
    identity_requests  jsonb       not null,
    identity_openings  jsonb       not null
);
create unique index violation_reports_by_number on violation_reports (number);
create index violation_reports_of_region on violation_reports (region_code, id);
create index violation_reports_by_decision_due on violation_reports ((decision_due_on is null), decision_due_on, id);
create index violation_reports_erasure_pending on violation_reports (id) where erasure_pending;

-- The list of 0144 with a fifth branch: reports of violations on which nobody has decided. They belong to no plan.
drop view due_items;
create view due_items as
    select id, cast('TASK' as text) as kind, region_code, plan_id, title, due_on
    from tasks
    where due_on is not null and status not in ('VERIFIED', 'CANCELLED')
    union all
    select id, cast('REPORT' as text) as kind, region_code, plan_id, what || ' ' || period as title, due_on
    from reports
    where status = 'OPEN'
    union all
    select id, cast('SUPERVISION_ITEM' as text) as kind, region_code, plan_id, title, answer_due_on as due_on
    from supervision_items
    where status in ('OPENED', 'NOTIFIED', 'ESCALATED', 'RETURNED')
    union all
    select id, cast('LOCAL_PLAN' as text) as kind, region_code, plan_id, what as title, due_on
    from local_plans
    where due_on is not null and status = 'DUE'
    union all
    select id, cast('VIOLATION_REPORT' as text) as kind, region_code, cast(null as uuid) as plan_id, number as title,
        decision_due_on as due_on
    from violation_reports
    where decision_due_on is not null and status = 'RECEIVED';
