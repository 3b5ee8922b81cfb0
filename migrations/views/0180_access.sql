create table role_grants (
    id             uuid        primary key,
    version        bigint      not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    status         text        not null,
    region_code    text        not null,
    actor          text        not null,
    role           text        not null,
    unit_id        uuid,
    valid_from     date        not null,
    valid_until    date,
    note           text,
    revoked_reason text
);
create index role_grants_by_actor on role_grants (actor, id);

create table service_keys (
    id             uuid        primary key,
    version        bigint      not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    status         text        not null,
    region_code    text        not null,
    name           text        not null,
    unit_id        uuid        not null,
    roles          jsonb       not null,
    expires_on     date        not null,
    digest         text        not null, -- SHA-256 of the secret, hexadecimal
    revoked_reason text
);
create index service_keys_by_name on service_keys (name, id);
