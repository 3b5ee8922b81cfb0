-- The log in partitions by position. What was the table becomes the first of them; the program makes the others ahead.
-- A unique index of the whole can only be one of positions. That a stream has no version twice and no id comes twice
-- is kept by the lock of log_head, by the indexes of each partition, and proved by `zhixing verify`.
alter table events rename to events_1;
alter index events_pkey rename to events_1_pkey;
alter index events_stream_id_version_key rename to events_1_stream_id_version_key;
alter index events_id rename to events_1_id_key;
create table events (like events_1 including defaults) partition by range (position);
alter table events add primary key (position);
do $$
declare
    -- Behind the last event, at a whole multiple of fifty million.
    behind constant bigint := (select coalesce(max(position), 0) / 50000000 * 50000000 + 50000001 from events_1);
begin
    execute format('alter table events attach partition events_1 for values from (1) to (%s)', behind);
end
$$;
