create table plans (
    id                        uuid        primary key,
    version                   bigint      not null,
    created_at                timestamptz not null,
    updated_at                timestamptz not null,
    status                    text        not null,
    region_code               text        not null,
    code                      text        not null,
    document_number           text,
    title                     text        not null,
    title_is_assigned         boolean     not null,
    issuer                    text        not null,
    issuer_id                 uuid,
    issuer_is_inferred        boolean     not null,
    issued_on                 date,
    effective_from            date,
    effective_from_is_assumed boolean     not null,
    period_start              date,
    period_end                date        not null,
    period_note               text,
    phases                    jsonb        not null,
    current_phase             text,
    basis                     jsonb        not null,
    guidance                  text,
    reporting_duties          jsonb        not null,
    one_off_duties            jsonb        not null,
    superseded_by_id          uuid
);
create index plans_by_code on plans (code, id);
create index plans_by_issue on plans ((issued_on is null), issued_on, id);
create index plans_by_end on plans (period_end, id);
