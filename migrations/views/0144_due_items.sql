-- The list of 0142 with a fourth branch: local plans that are still to be filed.
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
    where due_on is not null and status = 'DUE';
