-- A log that is a copy of another one says so in the row that everybody locks who writes: only bundles extend it.
alter table log_head add column origin text;     -- what the other log calls itself; null: this is a log of its own
alter table log_head add column origin_key text; -- the public key that signed its last bundle
