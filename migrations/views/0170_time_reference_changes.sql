-- The calendars and time limits that the service ran with, each state once, and which deadlines a change moved.
create table time_reference_changes (
    id              uuid        primary key,
    number          bigint      not null unique, -- 0 is what it first ran with; of several processes one writes the next
    changed_at      timestamptz not null,
    calendars       jsonb       not null,
    limits          jsonb       not null,
    moved_deadlines bigint      not null, -- how many, also where not all are listed
    reference       text        not null  -- all calendars and time limits as JSON
);

create table moved_deadlines (
    id             uuid   primary key,
    change_id      uuid   not null,
    place          bigint not null,
    kind           text   not null,
    object_id      uuid   not null,
    title          text   not null,
    clock          text   not null,
    before_on      date,
    before_problem text,
    after_on       date,
    problem        text
);
create index moved_deadlines_of_change on moved_deadlines (change_id, place, id);
