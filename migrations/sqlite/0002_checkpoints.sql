-- Signed statements of what the log was when it ended at a position. Written once, never changed.
create table checkpoints (
    position  integer primary key, -- positions begin at 1 and have no gaps: also the size of the Merkle tree
    root      blob    not null,    -- of the Merkle tree over the hashes of the events up to here
    hash      blob    not null,    -- of the event at this position
    peaks     blob    not null,    -- roots of the perfect subtrees, so that the next checkpoint need not begin at 1
    signed_at text    not null,
    key_id    text    not null,
    signature blob    not null
);
