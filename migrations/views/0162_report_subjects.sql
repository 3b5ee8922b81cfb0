-- What was recorded before did not say: it reads as OTHER, as its events do.
alter table reporting_duties add column asks_for text not null default 'OTHER';
alter table reports add column asks_for text not null default 'OTHER';
create index reports_by_subject on reports (asks_for, due_on, id);
