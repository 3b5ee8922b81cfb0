-- Decision states of long streams, so that they load as fast as short ones. A snapshot of another release is not read.
create table snapshots (
    id      uuid   primary key, -- of the stream
    version bigint not null,
    release text   not null,
    state   text   not null
);
