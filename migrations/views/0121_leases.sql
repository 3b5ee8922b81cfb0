-- Which process does what only one may do at a time. Times are microseconds since 1970.
create table leases (
    name        text   primary key,
    owner       text   not null,
    lease_until bigint not null
);
