-- A report is taken also when no time limit or calendar is at hand; then nothing says how its last day was counted.
alter table violation_reports add column decision_basis jsonb;
update violation_reports set decision_basis = decision_due where decision_due_on is not null;
alter table violation_reports drop column decision_due;
