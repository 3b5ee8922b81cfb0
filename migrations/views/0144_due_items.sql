-- What is open and has a due date, of every kind, as one list. Each branch is answered from the indexes of its table.
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
    select id, cast('LOCAL_PLAN' as text) as kind, region_code, plan_id, what as title, due_on
    from local_plans
    where due_on is not null and status = 'DUE';
