create table supervision_items (
    id                 uuid        primary key,
    version            bigint      not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    status             text        not null,
    region_code        text        not null,
    plan_id            uuid        not null,
    number             text,
    title              text        not null,
    subject_kind       text,
    subject_id         uuid,
    unit_ids           jsonb       not null,
    escalation_unit_id uuid,
    demand             text        not null,
    basis              text,
    opened_by_rule     jsonb,
    subject_due_on     date,
    answer_due_on      date        not null,
    notified_on        date,
    notified_note      text,
    answers            jsonb       not null,
    escalated_to_id    uuid,
    escalated_on       date,
    escalated_reason   text,
    extended_reason    text,
    closed_note        text,
    withdrawn_reason   text,
    clock              jsonb       not null,
    due_set_at         timestamptz,
    due_soon_pending   date,
    overdue_pending    date
);
create index supervision_items_by_due on supervision_items (answer_due_on, id);
create index supervision_items_of_plan on supervision_items (plan_id, answer_due_on, id);
create index supervision_items_of_subject on supervision_items (subject_id, answer_due_on, id);
create index supervision_items_by_rule on supervision_items (subject_id, subject_due_on) where subject_due_on is not null;
-- What the scheduler may have to escalate.
create index supervision_items_to_escalate on supervision_items (answer_due_on, id)
    where escalation_unit_id is not null and status in ('NOTIFIED', 'RETURNED');
create index supervision_items_due_soon_pending on supervision_items (due_soon_pending, id)
    where due_soon_pending is not null;
create index supervision_items_overdue_pending on supervision_items (overdue_pending, id)
    where overdue_pending is not null;
