-- What the scheduler has to announce of a task, and since when: a due date until it was announced, then nothing.
alter table tasks add column due_set_at timestamptz;
alter table tasks add column due_soon_pending date;
alter table tasks add column overdue_pending date;
update tasks set due_set_at = created_at where due_on is not null;
update tasks set overdue_pending = due_on where status not in ('VERIFIED', 'CANCELLED');
update tasks set due_soon_pending = due_on where status not in ('VERIFIED', 'CANCELLED') and due_on >= date(created_at);
create index tasks_due_soon_pending on tasks (due_soon_pending, id) where due_soon_pending is not null;
create index tasks_overdue_pending on tasks (overdue_pending, id) where overdue_pending is not null;
