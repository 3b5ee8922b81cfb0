-- What the scheduler has to announce of the decision on a report, and since when.
alter table violation_reports add column due_set_at timestamptz;
alter table violation_reports add column due_soon_pending date;
alter table violation_reports add column overdue_pending date;
update violation_reports set due_set_at = created_at where decision_due_on is not null;
update violation_reports set overdue_pending = decision_due_on where status = 'RECEIVED';
update violation_reports set due_soon_pending = decision_due_on
where status = 'RECEIVED' and decision_due_on >= received_on;
create index violation_reports_due_soon_pending on violation_reports (due_soon_pending, id)
where due_soon_pending is not null;
create index violation_reports_overdue_pending on violation_reports (overdue_pending, id)
where overdue_pending is not null;
