-- How a task came to its units, and the days that its time limits of dispatch are counted from.
alter table tasks add column dispatched_on date;
alter table tasks add column accepted_on date;
alter table tasks add column contested_on date;
alter table tasks add column arbitrated_on date;
alter table tasks add column declines integer not null default 0;
alter table tasks add column decline_ground text;
alter table tasks add column decline_reason text;
alter table tasks add column declined_by_id uuid;
alter table tasks add column suggested_unit_id uuid;
