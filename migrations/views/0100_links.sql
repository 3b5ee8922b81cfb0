-- Which object names which: the lead units of a task, the members of a group. Written with the view rows.
create table links (
    target_id   uuid not null,
    relation    text not null,
    source_id   uuid not null,
    source_kind text not null,
    primary key (target_id, relation, source_id)
);
create index links_source on links (source_id);
