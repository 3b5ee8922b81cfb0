-- A snapshot is the whole of what is known of a stream at a version: decision state and view row. The last two are kept,
-- so that what was so a little while ago is found as fast as what is so now.
drop table snapshots;
create table snapshots (
    id       uuid   not null, -- of the stream
    version  bigint not null,
    release  text   not null,
    state    text   not null,
    view_row text   not null,
    primary key (id, version)
);
